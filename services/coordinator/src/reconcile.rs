//! Reconciliation: calls the service that fetches from the product API, a month at a time, and
//! reports what differs to people who are not looking.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use chrono::{DateTime, Utc};
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
use tracing::warn;
use warehouse::{AlertOutbox, Reconciliation, ReconciliationLog, RunQuery, RunReader};

use crate::{error::Error, forwarded, numbers_differ::Tally};

/// The most days that the service compares in a call.
const CHUNK_DAYS: u64 = 31;

/// The most characters of a seed in the key of an alert.
const SHOWN_SEED: usize = 32;

/// Reconciles published numbers with the product API.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) pipeline: String,
    pub(crate) service: String,
    pub(crate) channel: Channel,
    pub(crate) runs: Arc<dyn RunReader>,
    /// Where comparisons are recorded that came to their end.
    pub(crate) log: Arc<dyn ReconciliationLog>,
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
    /// Who asks for it.
    pub(crate) requested_by: String,
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
    started_at: DateTime<Utc>,
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
        let started_at = self.clock.now();
        let mut begun = InProgress {
            reconciler: self,
            chunks: asked.window.chunks(CHUNK_DAYS).collect(),
            current: None,
            is_summed_up: false,
            days_before: 0,
            days_total: asked.window.len_days(),
            tally: Tally::default(),
            is_over: false,
            started_at,
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
        let query = RunQuery {
            states: vec![RunState::Queued, RunState::Running],
            days: Some(days),
            ..RunQuery::default()
        };
        let runs = self.runs.runs(&query, 1).await?;
        Ok(!runs.is_empty())
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
                self.record().await;
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

    /// Records the comparison. Whoever waits for its result gets it all the same if that fails.
    async fn record(&self) {
        let Self { reconciler, asked, started_at, .. } = self;
        let summary = self.tally.summary();
        let ended = Reconciliation {
            window: asked.window,
            companies: u32::try_from(asked.company_ids.len()).unwrap_or(u32::MAX),
            sample_size: asked.sample_size,
            requested_by: asked.requested_by.clone(),
            started_at: *started_at,
            ended_at: reconciler.clock.now(),
            compared: summary.compared,
            mismatches: summary.mismatches,
            invalid_records: summary.invalid_records,
            awaiting_run: summary.awaiting_run,
            by_kind: summary.by_kind.iter().map(|found| (found.kind, found.count)).collect(),
        };
        if let Err(error) = reconciler.log.record_reconciliation(&ended).await {
            warn!(window = %asked.window, %error, "the comparison could not be recorded");
        }
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
