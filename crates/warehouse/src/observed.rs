//! A span for every engine call inside a trace, with the SQL statements below it. Calls
//! outside a recorded trace, such as polls and most queries, cost nothing.
//!
//! A database's error message goes only to the log and the trace, from here and nowhere
//! else, because it quotes stored data. Callers only learn the kind of failure.

use std::{collections::BTreeSet, fmt, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    CompanyId, Counters, CrmCompany, DateWindow, EventRecord, FactKey, FactRow, Provenance, Publication,
    RejectionLimit, RunState, UsageRecord,
    audit::Measurements,
    provenance::{CrmVersion, DaySources},
    trend::StageExecution,
};
use futures::{StreamExt as _, TryStreamExt as _};
use telemetry::spans;
use tracing::{Instrument, Span, error, field::Empty, info_span, warn};
use uuid::Uuid;
use warehouse_core::{
    AbandonedCandidates, Acceptance, ActionEnd, ActivityQuery, ActivityReader, AlertLog, AlertOutbox,
    AlertQuery, AlertReader, AuditEntry, AuditEntryId, AuditQuery, AuditTrail, BackfillPreview, Backlog,
    BacklogReader, ChurnQuery, ChurnRisk, ChurnSummary, CompanyPage, CompanySearch, Connections, CreatedRun,
    CrmDays, CrmExport, CrmStaging, DayHistory, DaySummation, Delivered, Error, EventFile, EventStaging,
    Export, FactBuilder, FactPage, Fence, ForgottenDays, ForgottenHistory, Freshness, HeldDay, HistoryStart,
    Horizon, LeaseState, Listing, LoadOutcome, NewAlert, NewAuditEntry, NewRun, Observable, OverviewReader,
    PendingAlert, Period, PreviewOutcome, PreviewSession, ProgressSink, ProvenanceReader, PublishOutcome,
    PublishedDay, QuarantineCount, QuarantineCursor, QuarantineFilter, QuarantineGrouping, QuarantineReader,
    QuarantineStore, QuarantinedRow, Reconciliation, ReconciliationId, ReconciliationLog,
    ReconciliationReader, RecordedAlert, RequestedReplay, Result, Retention, RollUp, RowStream, Run,
    RunAuditReader, RunAudits, RunQuery, RunReader, RunStore, SnapshotLimits, StageCompletion, StageFailure,
    TakenUp, UndatedExport, UnpublishedDays, UsageDay, UsageDayState, UsageLimits, UsageStaging, Warehouse,
};

/// An engine whose calls are traced.
#[derive(Clone)]
pub(crate) struct Observed<W> {
    inner: W,
}

impl<W: Observable> Observed<W> {
    pub(crate) const fn new(inner: W) -> Self {
        Self { inner }
    }

    async fn observe<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if !spans::is_recorded(&Span::current()) {
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

/// Logs a database's error message. Callers report what a rule of the contract refuses.
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

impl<W: Warehouse> Observable for Observed<W> {
    fn connections(&self) -> Connections {
        self.inner.connections()
    }

    fn system(&self) -> &'static str {
        self.inner.system()
    }
}

/// Implements the contract with the engine's own methods, each call in a span of the
/// same name. Methods that do more follow `also`.
macro_rules! observe {
    ($($contract:ident {
        $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*
        $(also { $($written_out:tt)* })?
    })*) => {$(
        #[async_trait]
        impl<W: Warehouse> $contract for Observed<W> {
            $(
                async fn $method(&self, $($argument: $type),*) -> Result<$answer> {
                    self.observe(stringify!($method), self.inner.$method($($argument),*)).await
                }
            )*
            $($($written_out)*)?
        }
    )*};
}

observe! {
    RunReader {
        fn run(run_id: Uuid) -> Option<Run>;
        fn runs(query: &RunQuery, limit: u32) -> Vec<Run>;
        fn active_runs(pipeline: &str, limit: u32) -> Vec<Uuid>;
        fn scheduled_from(pipeline: &str, through: NaiveDate, horizon: Horizon) -> NaiveDate;
        fn failed_days(pipeline: &str, window: DateWindow) -> Vec<NaiveDate>;
        fn recent_executions(run: &Run, stage: &str, limit: u32) -> Vec<StageExecution>;
    }

    StageCompletion {
        fn check_fence(fence: &Fence) -> ();
        fn complete_stage(fence: &Fence, counters: Counters, remarks: &[String], now: DateTime<Utc>) -> ();
        fn answer_replay(fence: &Fence, delivered: Delivered<'_>, asked_until: DateTime<Utc>) -> ();
    }

    RunStore {
        fn create_run(new: NewRun) -> CreatedRun;
        fn acquire_run(pipeline: &str, holder: &str, ttl: Duration, now: DateTime<Utc>) -> Option<TakenUp>;
        fn renew_lease(run_id: Uuid, epoch: i64, ttl: Duration) -> LeaseState;
        fn release_lease(run_id: Uuid, epoch: i64) -> ();
        fn begin_stage(run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Fence;
        fn fail_stage(
            fence: &Fence,
            failure: &StageFailure,
            alert: Option<&NewAlert>,
            now: DateTime<Utc>
        ) -> ();
        fn finish_run(run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> RunState;
        fn cancel_run(run_id: Uuid, now: DateTime<Utc>) -> Run;
        fn retry_run(run_id: Uuid, traceparent: Option<&str>) -> Run;
    }

    AlertOutbox {
        fn write_alert(alert: &NewAlert) -> bool;
        fn claim_due_alerts(limit: u32, claim: Duration) -> Vec<PendingAlert>;
        fn settle_alert(alert_key: &str, now: DateTime<Utc>) -> ();
        fn defer_alert(alert_key: &str, delay: Duration, problem: &str) -> ();
    }

    AlertReader {
        fn alerts(query: &AlertQuery, limit: u32) -> Vec<RecordedAlert>;
    }

    RunAuditReader {
        fn run_audits(run_id: Uuid) -> Option<RunAudits>;
    }

    ReconciliationLog {
        fn record_reconciliation(ended: &Reconciliation) -> ReconciliationId;
        fn reconciliations(
            before: Option<ReconciliationId>,
            limit: u32
        ) -> Vec<(ReconciliationId, Reconciliation)>;
    }

    AlertLog {
        fn delivered_channels(alert_key: &str) -> Vec<String>;
        fn record_delivery(alert_key: &str, channel: &str, now: DateTime<Utc>) -> ();
    }

    AuditTrail {
        fn record_action(new: &NewAuditEntry) -> AuditEntryId;
        fn record_end(id: AuditEntryId, end: &ActionEnd) -> ();
        fn audit_entries(query: &AuditQuery, limit: u32) -> Vec<AuditEntry>;
    }

    CrmStaging {
        fn new_crm_exports(exports: &[CrmExport]) -> Vec<usize>;
        fn crm_replays() -> Vec<CrmExport>;
        fn crm_days(undated: &[UndatedExport], today: NaiveDate) -> CrmDays;
        fn crm_archive_before(day: NaiveDate) -> Option<String>;
        fn load_crm_export(
            fence: &Fence,
            export: &CrmExport,
            limits: SnapshotLimits,
            rows: RowStream<'_, CrmCompany>,
            now: DateTime<Utc>
        ) -> LoadOutcome;
    }

    UsageStaging {
        fn usage_days(window: DateWindow) -> Vec<UsageDayState>;
        fn usage_replays() -> Vec<NaiveDate>;
        fn load_usage_day(
            fence: &Fence,
            day: &UsageDay,
            limits: UsageLimits,
            rows: RowStream<'_, UsageRecord>,
            now: DateTime<Utc>
        ) -> LoadOutcome;
    }

    ReconciliationReader {
        fn held_day(day: NaiveDate) -> HeldDay;
    }

    EventStaging {
        fn new_event_files(files: &[EventFile]) -> Vec<usize>;
        fn event_replays() -> Vec<String>;
        fn load_event_file(
            fence: &Fence,
            file: &EventFile,
            limit: RejectionLimit,
            rows: RowStream<'_, EventRecord>,
            now: DateTime<Utc>
        ) -> LoadOutcome;
    }

    FactBuilder {
        fn build_fact(
            fence: &Fence,
            window: DateWindow,
            now: DateTime<Utc>,
            progress: ProgressSink
        ) -> Counters;
        fn measure_candidates(fence: &Fence, window: DateWindow) -> Measurements;
        fn record_audits(fence: &Fence, audits: &RunAudits) -> ();
        fn publish_fact(
            fence: &Fence,
            window: DateWindow,
            remarks: &[String],
            now: DateTime<Utc>
        ) -> PublishOutcome;
        fn unpublish_days(fence: &Fence, window: DateWindow, now: DateTime<Utc>) -> UnpublishedDays;
    }

    ActivityReader {
        fn fact_row(key: &FactKey) -> Option<(FactRow, Publication)>;
        fn fact_rows(query: &ActivityQuery, limit: u32) -> FactPage;
        fn newest_day(as_of: Uuid) -> Option<NaiveDate>;
        fn roll_up(
            company: &CompanyId,
            window: DateWindow,
            period: Period
        ) -> (Vec<RollUp>, Option<Publication>);
        fn churn_risks(query: &ChurnQuery, limit: u32) -> Listing<ChurnRisk>;
        fn published_days(window: DateWindow) -> Vec<Publication>;
        fn freshness() -> Option<Freshness>;

        also {
            async fn export_facts(&self, query: &ActivityQuery) -> Result<Export> {
                let export = self.observe("export_facts", self.inner.export_facts(query)).await?;
                let pages = export.pages.inspect_err(|error| log_failure("export_facts", error)).boxed();
                Ok(Export { pages, ..export })
            }
        }
    }

    OverviewReader {
        fn search_companies(search: &CompanySearch, limit: u32) -> CompanyPage;
        fn churn_summary(day: NaiveDate) -> Option<ChurnSummary>;
        fn days_with_totals(window: DateWindow) -> Vec<PublishedDay>;
        fn publications_of_day(
            day: NaiveDate,
            before: Option<DateTime<Utc>>,
            limit: u32
        ) -> DayHistory;
    }

    DaySummation {
        fn days_without_totals() -> u64;
        fn sum_up_days() -> u64;
    }

    ProvenanceReader {
        fn provenance(key: &FactKey) -> Provenance;
        fn day_sources(day: NaiveDate) -> DaySources;
        fn company_versions(company: &CompanyId, before: Option<NaiveDate>, limit: u32) -> Vec<CrmVersion>;
    }

    BacklogReader {
        fn backlog() -> Backlog;
    }

    QuarantineReader {
        fn list_quarantine(
            filter: &QuarantineFilter,
            after: Option<&QuarantineCursor>,
            limit: u32
        ) -> Vec<QuarantinedRow>;
        fn count_quarantine(
            filter: &QuarantineFilter,
            by: QuarantineGrouping,
            limit: u32
        ) -> Vec<QuarantineCount>;
        fn count_open_quarantine() -> Vec<QuarantineCount>;
    }

    QuarantineStore {
        fn accept_quarantined(
            filter: &QuarantineFilter,
            acceptance: &Acceptance,
            expected: Option<u64>
        ) -> u64;
        fn request_replay(filter: &QuarantineFilter, now: DateTime<Utc>) -> Vec<RequestedReplay>;
    }

    Retention {
        fn forget_days_before(start: HistoryStart, dry_run: bool) -> ForgottenDays;
        fn forget_history_before(kept_since: DateTime<Utc>, dry_run: bool) -> ForgottenHistory;
        fn discard_abandoned_candidates(
            ended_before: DateTime<Utc>,
            dry_run: bool
        ) -> Option<AbandonedCandidates>;
        fn forget_reconciliations_before(kept_since: DateTime<Utc>, dry_run: bool) -> u64;
        fn landed_files_in_use(paths: &[String]) -> BTreeSet<String>;
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
