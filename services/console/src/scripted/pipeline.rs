//! A coordinator with one run, which changes as a test says.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::DateTime;
use futures::{Stream, StreamExt};
use presentation::run_end::has_ended;
use proto::{
    monitoring::v1::{ListAlertsResponse, ListAuditResultsResponse},
    pipeline::v1::{
        BackfillRequest, BackfillResponse, CancelRunResponse, GetRunRequest, GetRunResponse,
        ListRunsResponse, RetryRunResponse, Run, TriggerRunRequest, TriggerRunResponse, WatchRunRequest,
        WatchRunResponse,
    },
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{UnboundedReceiverStream, WatchStream};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Script, Site};

/// Where a test sends what happens to a backfill.
type Changes = mpsc::UnboundedSender<Result<BackfillResponse, Status>>;

/// Services with one run. What else they answer is their script's.
pub(crate) struct Pipeline {
    script: Script,
    pub(crate) run: watch::Sender<Run>,
    watches: Arc<Watches>,
    newest_backfill: Arc<Mutex<Option<Changes>>>,
}

#[derive(Default)]
struct Watches {
    open: AtomicUsize,
    broken: Mutex<CancellationToken>,
}

impl Pipeline {
    pub(crate) fn of(run: Run) -> Self {
        let pipeline = Self {
            script: Script::new(),
            run: watch::Sender::new(run),
            watches: Arc::default(),
            newest_backfill: Arc::default(),
        };
        let (run, watches) = (pipeline.run.clone(), pipeline.watches.clone());
        let (read, triggered, backfill) = (run.clone(), run.clone(), pipeline.newest_backfill.clone());
        let current = Some(run.borrow().clone());
        pipeline
            .answers("ListRuns", &ListRunsResponse::default())
            .answers("ListAlerts", &ListAlertsResponse::default())
            .answers("ListAuditResults", &ListAuditResultsResponse::default())
            .answers("RetryRun", &RetryRunResponse { run: current.clone() })
            .answers("CancelRun", &CancelRunResponse { run: current })
            .answers_with("GetRun", move |request: GetRunRequest| {
                let run = read.borrow().clone();
                let is_asked_for = request.run_id == run.run_id;
                is_asked_for
                    .then_some(GetRunResponse { run: Some(run) })
                    .ok_or_else(|| Status::not_found("there is no such run"))
            })
            .answers_with("TriggerRun", move |request: TriggerRunRequest| {
                Ok(TriggerRunResponse { run: Some(triggered.borrow().clone()), created: request.force })
            })
            .streams_with("WatchRun", move |_: WatchRunRequest| watches.watch(&run))
            .streams_with("Backfill", move |_: BackfillRequest| {
                let (changes, received) = mpsc::unbounded_channel();
                *backfill.lock().unwrap() = Some(changes);
                UnboundedReceiverStream::new(received)
            });
        pipeline
    }

    /// The site before it, at this time.
    pub(crate) fn site(&self, now: i64) -> Site {
        Site::new(self.script.clone(), DateTime::from_timestamp(now, 0).unwrap())
    }

    /// How many watch the run.
    pub(crate) fn open_watches(&self) -> usize {
        self.watches.open.load(Ordering::SeqCst)
    }

    /// Breaks every watch.
    pub(crate) fn break_watches(&self) {
        std::mem::take(&mut *self.watches.broken.lock().unwrap()).cancel();
    }

    /// Where to send what happens to the backfill that was started last.
    pub(crate) fn take_backfill(&self) -> Changes {
        self.newest_backfill.lock().unwrap().take().unwrap()
    }
}

impl Deref for Pipeline {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

impl Watches {
    fn watch(
        self: &Arc<Self>,
        run: &watch::Sender<Run>,
    ) -> impl Stream<Item = Result<WatchRunResponse, Status>> + use<> {
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(self.clone());
        let broken = self.broken.lock().unwrap().clone();
        let states = WatchStream::new(run.subscribe()).scan(false, move |is_over, run| {
            let _ = &open;
            let message = (!*is_over).then(|| WatchRunResponse { run: Some(run.clone()) });
            *is_over = has_ended(&run);
            std::future::ready(message.map(Ok))
        });
        states.take_until(broken.cancelled_owned())
    }
}

/// A watch, counted while it is open.
struct Open(Arc<Watches>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
