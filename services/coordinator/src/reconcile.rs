//! Reconciliation: calls the service that fetches from the product API, a month at a time, and
//! reports what differs to people who are not looking.

use std::{collections::VecDeque, sync::Arc};

use contract::message::progress_to_proto;
use domain::{DateWindow, Progress};
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
use warehouse::AlertOutbox;

use crate::{error::Error, forwarded, numbers_differ::Tally};

/// The most days that the service compares in a call.
const CHUNK_DAYS: u64 = 31;

/// Reconciles published numbers with the product API.
#[derive(Clone)]
pub(crate) struct Reconciler {
    pub(crate) pipeline: String,
    pub(crate) service: String,
    pub(crate) channel: Channel,
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

impl InProgress {
    /// Asks for the next days; returns whether there are any.
    async fn call_next(&mut self) -> Result<bool, Status> {
        let Some(window) = self.chunks.pop_front() else { return Ok(false) };
        let request = found::ReconcileRequest {
            company_ids: self.asked.company_ids.clone(),
            start_date: window.start().to_string(),
            end_date: window.end().to_string(),
            sample_size: self.asked.sample_size,
            sample_seed: self.asked.sample_seed.clone(),
        };
        let mut client = ReconciliationServiceClient::new(self.reconciler.channel.clone());
        let answer = client.reconcile(request).await.map_err(|status| self.failure(status))?;
        self.current = Some(answer.into_inner());
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
            match message.map_err(|status| self.failure(status))?.and_then(|message| message.update) {
                Some(Found::Progress(step)) => return Ok(Some(Update::Progress(self.progress(step)))),
                Some(Found::Mismatch(difference)) => {
                    self.tally.note(&difference);
                    return Ok(Some(Update::Difference(difference)));
                }
                Some(Found::Summary(summary)) => {
                    self.tally.add(&summary);
                    self.days_before =
                        self.days_total - self.chunks.iter().map(DateWindow::len_days).sum::<u64>();
                }
                // The end of these days, or an update of a newer service.
                None => self.current = None,
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

    /// Counts what differs, and writes an alert: one a day for the same days.
    async fn report(&self) -> Result<(), Error> {
        self.tally.count();
        let Reconciler { pipeline, clock, outbox, alert_written, .. } = &self.reconciler;
        if let Some(alert) = self.tally.alert(pipeline, self.asked.window, clock.now())
            && outbox.write_alert(&alert).await?
        {
            alert_written.notify_one();
        }
        Ok(())
    }

    fn failure(&self, status: Status) -> Status {
        forwarded::failure(&self.reconciler.service, status, Error::CannotReconcile)
    }
}
