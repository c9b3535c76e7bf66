//! Reconciliation: calls the service that fetches from the product API, a month at a time, and
//! reports what differs to people who are not looking.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use contract::message::progress_to_proto;
use domain::{DateWindow, Progress, RunState};
use futures::{Stream, stream};
use proto::{
    pipeline::v1::{ReconcileResponse, reconcile_response::Update},
    reconciliation::v1::{
        self as found, reconcile_response::Update as Found,
        reconciliation_service_client::ReconciliationServiceClient,
    },
    stage::v1::StageProgress,
};
use runtime::{Channel, Clock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use warehouse::{AlertOutbox, RunStore};

use crate::{error::Error, forwarded, numbers_differ::Tally};

/// The most days that the service compares in a call.
const CHUNK_DAYS: u64 = 31;

/// The most characters of a seed in the key of an alert.
const SHOWN_SEED: usize = 32;

/// The most runs under way to look at; there is one as a rule.
const RUNS: u32 = 100;

/// Reconciles published numbers with the product API.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) pipeline: String,
    pub(crate) service: String,
    pub(crate) channel: Channel,
    pub(crate) runs: Arc<dyn RunStore>,
    pub(crate) outbox: Arc<dyn AlertOutbox>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Notified when an alert is in the outbox.
    pub(crate) alert_written: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
}

/// What to reconcile.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) window: DateWindow,
    pub(crate) company_ids: Vec<String>,
    pub(crate) sample_size: u32,
    pub(crate) sample_seed: String,
    /// Whether to count and alert.
    pub(crate) report: bool,
}

/// A reconciliation in progress.
struct InProgress {
    reconciler: Reconciler,
    asked: Asked,
    chunks: VecDeque<DateWindow>,
    current: Option<Streaming<found::ReconcileResponse>>,
    /// Whether the current days have their summary.
    is_summed_up: bool,
    /// Days of the chunks before the current one.
    days_before: u64,
    days_total: u64,
    tally: Tally,
    is_over: bool,
}

impl Reconciler {
    /// Streams progress, every difference, and a summary.
    ///
    /// # Errors
    /// As the service answers, also in the middle of the stream; if the process shuts down; if
    /// what differs cannot be reported.
    pub(crate) async fn reconcile(
        self,
        asked: Asked,
    ) -> Result<impl Stream<Item = Result<ReconcileResponse, Status>> + Send + use<>, Status> {
        let mut begun = InProgress {
            reconciler: self,
            chunks: asked.window.chunks(CHUNK_DAYS).collect(),
            current: None,
            is_summed_up: false,
            days_before: 0,
            days_total: asked.window.len_days(),
            tally: Tally::default(),
            is_over: false,
            asked,
        };
        // So that a request that the service refuses fails the call itself.
        begun.call_next().await?;
        Ok(stream::try_unfold(begun, async |mut this| {
            let update = this.next().await?;
            Ok(update.map(|update| (ReconcileResponse { update: Some(update) }, this)))
        }))
    }
}

impl Reconciler {
    /// Whether a run over some of these days waits or is executed.
    async fn is_run_under_way(&self, days: DateWindow) -> Result<bool, Error> {
        let runs = self.runs.runs(&[RunState::Queued, RunState::Running], None, RUNS).await?;
        Ok(runs.iter().any(|run| run.window.start() <= days.end() && days.start() <= run.window.end()))
    }
}

impl Asked {
    /// Which companies are compared, in a few characters.
    pub(crate) fn selection(&self) -> String {
        if !self.company_ids.is_empty() {
            let ids: BTreeSet<&String> = self.company_ids.iter().collect();
            let mut hasher = DefaultHasher::new();
            ids.hash(&mut hasher);
            return format!("companies-{:016x}", hasher.finish());
        }
        let seed: String = self.sample_seed.chars().take(SHOWN_SEED).collect();
        match (self.sample_size, seed.as_str()) {
            (0, _) => "all".to_owned(),
            (size, "") => format!("sample-{size}"),
            (size, seed) => format!("sample-{size}-{seed}"),
        }
    }
}

impl InProgress {
    /// Asks for the next days; returns whether there are any.
    async fn call_next(&mut self) -> Result<bool, Status> {
        let Some(window) = self.chunks.pop_front() else { return Ok(false) };
        self.tally.note_run(self.reconciler.is_run_under_way(window).await?);
        let request = found::ReconcileRequest {
            company_ids: self.asked.company_ids.clone(),
            start_date: window.start().to_string(),
            end_date: window.end().to_string(),
            sample_size: self.asked.sample_size,
            sample_seed: self.asked.sample_seed.clone(),
        };
        let mut client = ReconciliationServiceClient::new(self.reconciler.channel.clone());
        let answer = client.reconcile(request).await.map_err(|status| self.failure(status))?;
        (self.current, self.is_summed_up) = (Some(answer.into_inner()), false);
        Ok(true)
    }

    async fn next(&mut self) -> Result<Option<Update>, Status> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            let Some(messages) = &mut self.current else {
                if self.call_next().await? {
                    continue;
                }
                self.is_over = true;
                if self.asked.report {
                    self.report().await?;
                }
                return Ok(Some(Update::Summary(self.tally.summary())));
            };
            let message = tokio::select! {
                message = messages.message() => message,
                () = self.reconciler.shutdown.cancelled() => return Err(Error::ShuttingDown.into()),
            };
            let Some(message) = message.map_err(|status| self.failure(status))? else {
                if !self.is_summed_up {
                    return Err(Error::Unfinished(self.reconciler.service.clone()).into());
                }
                self.current = None;
                continue;
            };
            match message.update {
                Some(Found::Progress(step)) => return Ok(Some(Update::Progress(self.progress(step)))),
                Some(Found::Mismatch(difference)) => {
                    self.tally.note(&difference);
                    return Ok(Some(Update::Difference(difference)));
                }
                Some(Found::Summary(summary)) => {
                    self.tally.add(&summary);
                    self.is_summed_up = true;
                    self.days_before =
                        self.days_total - self.chunks.iter().map(DateWindow::len_days).sum::<u64>();
                }
                // Of a newer service.
                None => {}
            }
        }
    }

    /// The progress through all days, from the one through the current ones.
    fn progress(&self, step: StageProgress) -> StageProgress {
        let units_done = self.days_before + step.units_done;
        progress_to_proto(&Progress {
            units_done,
            units_total: self.days_total,
            activity: step.activity,
            ..Progress::default()
        })
    }

    /// Writes an alert of what differs, one a day for the same days and companies, and counts it.
    async fn report(&self) -> Result<(), Error> {
        let Reconciler { pipeline, clock, outbox, alert_written, .. } = &self.reconciler;
        if let Some(alert) = self.tally.alert(pipeline, &self.asked, clock.now())
            && outbox.write_alert(&alert).await?
        {
            alert_written.notify_one();
        }
        // Last: a report that fails is repeated, and would count twice.
        self.tally.count();
        Ok(())
    }

    fn failure(&self, status: Status) -> Status {
        forwarded::failure(&self.reconciler.service, status, Error::CannotReconcile)
    }
}
