//! A span for every call of an engine that is part of a trace, with the SQL
//! statements below it. What nobody traces, such as polls, costs nothing.
//!
//! What a database says when it fails is told here and nowhere else, to the log
//! and to the trace: it quotes what is stored. Everybody above is told what kind of
//! failure it was.

use std::{collections::BTreeSet, fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    CompanyId, Counters, CrmCompany, DateWindow, EventRecord, FactKey, FactRow, Publication, RunState,
    UsageRecord, audit::Measurements, trend::StageExecution,
};
use futures::{StreamExt as _, TryStreamExt as _};
use telemetry::spans;
use tracing::{Instrument, Span, error, field::Empty, info_span, warn};
use uuid::Uuid;
use warehouse_core::*;

/// An engine whose calls are traced.
#[derive(Clone)]
pub(crate) struct Observed<W> {
    inner: W,
}

impl<W: BacklogReader> Observed<W> {
    pub(crate) const fn new(inner: W) -> Self {
        Self { inner }
    }

    async fn observe<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if Span::current().is_none() {
            return call.await.inspect_err(|error| log_failure(operation, error));
        }
        let span = info_span!(
            "warehouse",
            otel.name = operation,
            db.system.name = self.inner.system(),
            error.type = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        );
        let outcome = call.instrument(span.clone()).await;
        if let Err(error) = &outcome {
            span.in_scope(|| log_failure(operation, error));
            match error.said() {
                Some(cause) => {
                    spans::record_failure_of(&span, error.kind(), &format_args!("{error}: {cause}"));
                }
                None => spans::record_failure_of(&span, error.kind(), error),
            }
        }
        outcome
    }
}

/// Logs what a database said. What a rule of the contract refuses is told by
/// whoever asked.
fn log_failure(operation: &'static str, error: &Error) {
    let Some(cause) = error.said() else { return };
    if error.kind().is_transient() {
        warn!(operation, error = %error, cause, "the warehouse is unavailable");
    } else {
        error!(operation, error = %error, cause, "the warehouse failed");
    }
}

impl<W: fmt::Debug> fmt::Debug for Observed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<W: Warehouse> Warehouse for Observed<W> {}

#[async_trait]
impl<W: Warehouse> RunStore for Observed<W> {
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun> {
        self.observe("create_run", self.inner.create_run(new)).await
    }

    async fn run(&self, run_id: Uuid) -> Result<Option<Run>> {
        self.observe("run", self.inner.run(run_id)).await
    }

    async fn runs(&self, states: &[RunState], after: Option<RunCursor>, limit: u32) -> Result<Vec<Run>> {
        self.observe("runs", self.inner.runs(states, after, limit)).await
    }

    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>> {
        self.observe("failed_days", self.inner.failed_days(pipeline, window)).await
    }

    async fn recent_executions(&self, run: &Run, stage: &str, limit: u32) -> Result<Vec<StageExecution>> {
        self.observe("recent_executions", self.inner.recent_executions(run, stage, limit)).await
    }

    async fn acquire_run(
        &self,
        pipeline: &str,
        holder: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>> {
        self.observe("acquire_run", self.inner.acquire_run(pipeline, holder, ttl, now)).await
    }

    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState> {
        self.observe("renew_lease", self.inner.renew_lease(run_id, epoch, ttl)).await
    }

    async fn release_lease(&self, run_id: Uuid, epoch: i64) -> Result<()> {
        self.observe("release_lease", self.inner.release_lease(run_id, epoch)).await
    }

    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Result<Fence> {
        self.observe("begin_stage", self.inner.begin_stage(run_id, epoch, stage, now)).await
    }

    async fn check_fence(&self, fence: &Fence) -> Result<()> {
        self.observe("check_fence", self.inner.check_fence(fence)).await
    }

    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.observe("complete_stage", self.inner.complete_stage(fence, counters, remarks, now)).await
    }

    async fn fail_stage(
        &self,
        fence: &Fence,
        failure: &StageFailure,
        alert: Option<&NewAlert>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.observe("fail_stage", self.inner.fail_stage(fence, failure, alert, now)).await
    }

    async fn finish_run(&self, run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> Result<RunState> {
        self.observe("finish_run", self.inner.finish_run(run_id, epoch, now)).await
    }

    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run> {
        self.observe("cancel_run", self.inner.cancel_run(run_id, now)).await
    }

    async fn retry_run(&self, run_id: Uuid, traceparent: Option<&str>) -> Result<Run> {
        self.observe("retry_run", self.inner.retry_run(run_id, traceparent)).await
    }
}

#[async_trait]
impl<W: Warehouse> AlertOutbox for Observed<W> {
    async fn write_alert(&self, alert: &NewAlert) -> Result<bool> {
        self.observe("write_alert", self.inner.write_alert(alert)).await
    }

    async fn claim_due_alerts(&self, limit: u32, claim: Duration) -> Result<Vec<PendingAlert>> {
        self.observe("claim_due_alerts", self.inner.claim_due_alerts(limit, claim)).await
    }

    async fn settle_alert(&self, alert_key: &str, now: DateTime<Utc>) -> Result<()> {
        self.observe("settle_alert", self.inner.settle_alert(alert_key, now)).await
    }

    async fn defer_alert(&self, alert_key: &str, delay: Duration, problem: &str) -> Result<()> {
        self.observe("defer_alert", self.inner.defer_alert(alert_key, delay, problem)).await
    }
}

#[async_trait]
impl<W: Warehouse> AlertLog for Observed<W> {
    async fn delivered_channels(&self, alert_key: &str) -> Result<Vec<String>> {
        self.observe("delivered_channels", self.inner.delivered_channels(alert_key)).await
    }

    async fn record_delivery(&self, alert_key: &str, channel: &str, now: DateTime<Utc>) -> Result<()> {
        self.observe("record_delivery", self.inner.record_delivery(alert_key, channel, now)).await
    }
}

#[async_trait]
impl<W: Warehouse> CrmStaging for Observed<W> {
    async fn new_crm_exports(&self, exports: &[CrmExport]) -> Result<Vec<usize>> {
        self.observe("new_crm_exports", self.inner.new_crm_exports(exports)).await
    }

    async fn crm_days(&self, undated: &[UndatedExport], today: NaiveDate) -> Result<CrmDays> {
        self.observe("crm_days", self.inner.crm_days(undated, today)).await
    }

    async fn crm_archive_before(&self, day: NaiveDate) -> Result<Option<String>> {
        self.observe("crm_archive_before", self.inner.crm_archive_before(day)).await
    }

    async fn load_crm_export(
        &self,
        fence: &Fence,
        export: &CrmExport,
        limits: SnapshotLimits,
        rows: RowStream<'_, CrmCompany>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        self.observe("load_crm_export", self.inner.load_crm_export(fence, export, limits, rows, now)).await
    }
}

#[async_trait]
impl<W: Warehouse> UsageStaging for Observed<W> {
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>> {
        self.observe("usage_days", self.inner.usage_days(window)).await
    }

    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        self.observe("load_usage_day", self.inner.load_usage_day(fence, day, limits, rows, now)).await
    }
}

#[async_trait]
impl<W: Warehouse> EventStaging for Observed<W> {
    async fn new_event_files(&self, files: &[EventFile]) -> Result<Vec<usize>> {
        self.observe("new_event_files", self.inner.new_event_files(files)).await
    }

    async fn load_event_file(
        &self,
        fence: &Fence,
        file: &EventFile,
        rows: RowStream<'_, EventRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        self.observe("load_event_file", self.inner.load_event_file(fence, file, rows, now)).await
    }
}

#[async_trait]
impl<W: Warehouse> EventReader for Observed<W> {
    async fn stored_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<StoredEvent>> {
        self.observe("stored_events", self.inner.stored_events(company, window)).await
    }

    async fn daily_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<DailyEvents>> {
        self.observe("daily_events", self.inner.daily_events(company, window)).await
    }
}

#[async_trait]
impl<W: Warehouse> QuarantineReader for Observed<W> {
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>> {
        self.observe("quarantined_rows", self.inner.quarantined_rows(run_id, limit)).await
    }
}

#[async_trait]
impl<W: Warehouse> FactBuilder for Observed<W> {
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters> {
        self.observe("build_fact", self.inner.build_fact(fence, window, now, progress)).await
    }

    async fn measure_candidates(&self, fence: &Fence, window: DateWindow) -> Result<Measurements> {
        self.observe("measure_candidates", self.inner.measure_candidates(fence, window)).await
    }

    async fn publish_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<PublishOutcome> {
        self.observe("publish_fact", self.inner.publish_fact(fence, window, remarks, now)).await
    }
}

#[async_trait]
impl<W: Warehouse> BackfillPreview for Observed<W> {
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>> {
        let inner = self.observe("begin_preview", self.inner.begin_preview(windows)).await?;
        Ok(Box::new(ObservedPreview { inner }))
    }
}

/// A preview whose failures are logged.
struct ObservedPreview {
    inner: Box<dyn PreviewSession>,
}

#[async_trait]
impl PreviewSession for ObservedPreview {
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<()> {
        let added = self.inner.add_usage_day(day, limits, rows).await;
        added.inspect_err(|error| log_failure("add_usage_day", error))
    }

    async fn finish(
        self: Box<Self>,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome> {
        let finished = self.inner.finish(sample, now, progress).await;
        finished.inspect_err(|error| log_failure("finish_preview", error))
    }
}

#[async_trait]
impl<W: Warehouse> ActivityReader for Observed<W> {
    async fn fact_row(&self, key: &FactKey) -> Result<Option<(FactRow, Publication)>> {
        self.observe("fact_row", self.inner.fact_row(key)).await
    }

    async fn fact_rows(
        &self,
        query: &ActivityQuery,
        limit: u32,
    ) -> Result<(Vec<FactRow>, Option<Publication>)> {
        self.observe("fact_rows", self.inner.fact_rows(query, limit)).await
    }

    async fn export_facts(&self, query: &ActivityQuery) -> Result<Export> {
        let export = self.observe("export_facts", self.inner.export_facts(query)).await?;
        let rows = export.rows.inspect_err(|error| log_failure("export_facts", error)).boxed();
        Ok(Export { rows, ..export })
    }

    async fn roll_up(
        &self,
        company: &CompanyId,
        window: DateWindow,
        period: Period,
    ) -> Result<(Vec<RollUp>, Option<Publication>)> {
        self.observe("roll_up", self.inner.roll_up(company, window, period)).await
    }

    async fn churn_risks(
        &self,
        query: &ChurnQuery,
        limit: u32,
    ) -> Result<(Vec<ChurnRisk>, Option<Publication>)> {
        self.observe("churn_risks", self.inner.churn_risks(query, limit)).await
    }

    async fn published_days(&self, window: DateWindow) -> Result<Vec<Publication>> {
        self.observe("published_days", self.inner.published_days(window)).await
    }

    async fn freshness(&self) -> Result<Option<Freshness>> {
        self.observe("freshness", self.inner.freshness()).await
    }
}

#[async_trait]
impl<W: Warehouse> BacklogReader for Observed<W> {
    async fn backlog(&self) -> Result<Backlog> {
        self.observe("backlog", self.inner.backlog()).await
    }

    fn connections(&self) -> Connections {
        self.inner.connections()
    }

    fn system(&self) -> &'static str {
        self.inner.system()
    }
}

#[async_trait]
impl<W: Warehouse> Retention for Observed<W> {
    async fn unpublish_days(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> Result<UnpublishedDays> {
        self.observe("unpublish_days", self.inner.unpublish_days(fence, window, now)).await
    }

    async fn forget_days_before(&self, start: HistoryStart, dry_run: bool) -> Result<ForgottenDays> {
        self.observe("forget_days_before", self.inner.forget_days_before(start, dry_run)).await
    }

    async fn discard_abandoned_candidates(
        &self,
        ended_before: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Option<AbandonedCandidates>> {
        let discarded = self.inner.discard_abandoned_candidates(ended_before, dry_run);
        self.observe("discard_abandoned_candidates", discarded).await
    }

    async fn landed_files_in_use(&self, paths: &[String]) -> Result<BTreeSet<String>> {
        self.observe("landed_files_in_use", self.inner.landed_files_in_use(paths)).await
    }
}
