//! The vocabulary of the behaviours: days, companies, runs, loads.

use std::{collections::BTreeSet, slice, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    AlertCause, Checksum, CompanyAttributes, CompanyId, Counters, CrmCompany, DateWindow, FactRow, Rejection,
    RejectionLimit, RejectionReason, RunState, RunTrigger, SourceRow, StageState, UsageRecord,
    run::{DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
    usage::CHURN_DAYS,
};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;
use warehouse_core::{
    ActivityQuery, CrmExport, Error, Fence, Horizon, LeaseState, LoadOutcome, NewAlert, NewRun, NewStage,
    PublishOutcome, Result, Run, SharedWarehouse, SnapshotLimits, StageFailure, UsageDay, WindowChoice,
};

/// The holder that takes up runs.
pub const HOLDER: &str = "conformance";

/// Long enough that no test outlives it.
pub const TTL: Duration = Duration::from_secs(3_600);

/// A day, and the active users and events of companies on it.
pub type UsageOfDay<'a> = (NaiveDate, Vec<(&'a str, i32, i64)>);

/// The day `offset` days after 2026-01-01.
#[must_use]
pub fn day(offset: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + TimeDelta::days(offset)
}

/// The days from one offset to another, both included.
#[must_use]
pub fn days(from: i64, to: i64) -> DateWindow {
    DateWindow::new(day(from), day(to)).unwrap()
}

/// A point in time, `hours` after the start of 2026-06-01.
#[must_use]
pub fn at(hours: i64) -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(2026, 6, 1).unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
        + TimeDelta::hours(hours)
}

/// A company's identifier.
#[must_use]
pub fn id(text: &str) -> CompanyId {
    CompanyId::parse(text).unwrap()
}

/// A company in the CRM with nothing but a name.
#[must_use]
pub fn company(company_id: &str, name: &str) -> CrmCompany {
    let (name, country) = (Some(name.to_owned()), Some("SG".to_owned()));
    CrmCompany::read_in_full(
        id(company_id),
        CompanyAttributes { name, country, ..CompanyAttributes::default() },
    )
}

/// The company with a last contact.
#[must_use]
pub fn contacted(mut company: CrmCompany, last_contact_at: DateTime<Utc>) -> CrmCompany {
    company.attributes.last_contact_at = Some(last_contact_at);
    company
}

/// Records of one day.
#[must_use]
pub fn records(on: NaiveDate, companies: &[(&str, i32, i64)]) -> Vec<SourceRow<UsageRecord>> {
    (1..)
        .zip(companies)
        .map(|(line, (company_id, active_users, events))| SourceRow::Accepted {
            line,
            row: UsageRecord {
                company_id: id(company_id),
                date: on,
                active_users: *active_users,
                events: *events,
            },
        })
        .collect()
}

/// A row to quarantine.
#[must_use]
pub fn rejected<T>(line: u64, reason: &str, raw: &str) -> SourceRow<T> {
    SourceRow::Rejected(Rejection::new(line, RejectionReason::Malformed(reason.to_owned()), raw))
}

/// Every unpublished day up to `through`, as far back as the default horizon.
#[must_use]
pub const fn unpublished(through: NaiveDate) -> WindowChoice {
    WindowChoice::Unpublished { through, horizon: Horizon { history_start: None, max_reach_days: 400 } }
}

/// A limit that a handful of rejected rows exceeds.
#[must_use]
pub const fn few_rejections() -> RejectionLimit {
    RejectionLimit { max_share: 0.05 }
}

/// The daily pipeline over `window`, not yet created.
#[must_use]
pub fn new_run(window: WindowChoice) -> NewRun {
    let stage = |stage: &str, service: &str, depends_on: &[&str]| NewStage {
        stage: stage.to_owned(),
        service: service.to_owned(),
        depends_on: depends_on.iter().map(|name| (*name).to_owned()).collect(),
    };
    NewRun {
        run_id: Uuid::now_v7(),
        pipeline: DAILY_PIPELINE.to_owned(),
        window,
        trigger: RunTrigger::Manual,
        force: false,
        accept_empty_days: BTreeSet::new(),
        rebuild_days: BTreeSet::new(),
        stages: vec![
            stage(STAGE_COPY_CRM_CSV, "ingest-crm", &[]),
            stage(STAGE_CALL_PRODUCT_API, "ingest-api", &[]),
            stage(STAGE_BUILD_FACT, "transform", &[STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API]),
            stage(STAGE_VALIDATE, "transform", &[STAGE_BUILD_FACT]),
        ],
        requested_by: "tester".to_owned(),
        traceparent: None,
        created_at: at(0),
    }
}

/// A run that this process holds.
#[derive(Debug)]
pub struct HeldRun {
    pub(crate) warehouse: SharedWarehouse,
    /// The run as it was taken up.
    pub run: Run,
    /// The time during the run.
    pub now: DateTime<Utc>,
}

/// Creates a run over `window`, even if it has succeeded before, and takes it up.
pub async fn hold_run(warehouse: &SharedWarehouse, window: DateWindow, now: DateTime<Utc>) -> HeldRun {
    hold_run_of(warehouse, DAILY_PIPELINE, window, now).await
}

/// Like [`hold_run`], for another pipeline, which does not wait for runs of the daily
/// one.
pub async fn hold_run_of(
    warehouse: &SharedWarehouse,
    pipeline: &str,
    window: DateWindow,
    now: DateTime<Utc>,
) -> HeldRun {
    let new = new_run(WindowChoice::Days(window));
    hold_new_run(warehouse, NewRun { pipeline: pipeline.to_owned(), force: true, ..new }, now).await
}

/// Creates a run and takes it up.
pub async fn hold_new_run(warehouse: &SharedWarehouse, new: NewRun, now: DateTime<Utc>) -> HeldRun {
    let pipeline = new.pipeline.clone();
    warehouse.create_run(new).await.unwrap();
    let run = warehouse.acquire_run(&pipeline, HOLDER, TTL, now).await.unwrap().unwrap().run;
    HeldRun { warehouse: Arc::clone(warehouse), run, now }
}

/// Takes up a waiting run of the daily pipeline.
pub async fn take_up(warehouse: &SharedWarehouse, now: DateTime<Utc>) -> HeldRun {
    let run = warehouse.acquire_run(DAILY_PIPELINE, HOLDER, TTL, now).await.unwrap().unwrap().run;
    HeldRun { warehouse: Arc::clone(warehouse), run, now }
}

/// The states of a run's stages in the order of the pipeline.
#[must_use]
pub fn stage_states(run: &Run) -> Vec<StageState> {
    run.stages.iter().map(|stage| stage.state).collect()
}

/// A failed attempt, retryable or permanent.
#[must_use]
pub fn failure(will_retry: bool) -> StageFailure {
    StageFailure {
        code: "UNAVAILABLE".to_owned(),
        message: "the source is gone".to_owned(),
        will_retry,
        is_interruption: false,
    }
}

/// The alert of a stage's failure.
#[must_use]
pub fn alert(key: &str, fence: &Fence, failed_at: DateTime<Utc>) -> NewAlert {
    NewAlert {
        alert_key: key.to_owned(),
        cause: AlertCause::StageFailed,
        pipeline: DAILY_PIPELINE.to_owned(),
        stage: fence.stage.clone(),
        attempt: fence.attempt,
        error_code: "UNAVAILABLE".to_owned(),
        error_message: "the source is gone".to_owned(),
        run_id: fence.run_id,
        business_date: day(0),
        failed_at,
    }
}

impl HeldRun {
    /// Starts a stage.
    pub async fn begin(&self, stage: &str) -> Fence {
        self.warehouse.begin_stage(self.run.run_id, self.run.lease_epoch, stage, self.now).await.unwrap()
    }

    /// Commits a stage that did nothing else.
    pub async fn complete(&self, fence: &Fence) {
        self.warehouse.complete_stage(fence, Counters::default(), &[], self.now).await.unwrap();
    }

    /// Loads an export without bad rows.
    pub async fn load_crm(
        &self,
        fence: &Fence,
        export: &CrmExport,
        companies: &[CrmCompany],
    ) -> Result<LoadOutcome> {
        let rows = (2..).zip(companies).map(|(line, row)| SourceRow::Accepted { line, row: row.clone() });
        self.load_crm_rows(fence, export, rows.collect()).await
    }

    /// Loads an export row by row; it may shrink without limit.
    pub async fn load_crm_rows(
        &self,
        fence: &Fence,
        export: &CrmExport,
        rows: Vec<SourceRow<CrmCompany>>,
    ) -> Result<LoadOutcome> {
        let limits = SnapshotLimits::NONE;
        let rows = stream::iter(rows.into_iter().map(Ok)).boxed();
        self.warehouse.load_crm_export(fence, export, limits, rows, self.now).await
    }

    /// Ingests through both ingest stages: exports, then days of usage.
    pub async fn ingest(&self, exports: &[(CrmExport, Vec<CrmCompany>)], usage: &[UsageOfDay<'_>]) {
        let crm = self.begin(STAGE_COPY_CRM_CSV).await;
        for (export, companies) in exports {
            self.load_crm(&crm, export, companies).await.unwrap();
        }
        self.complete(&crm).await;
        let api = self.begin(STAGE_CALL_PRODUCT_API).await;
        for (on, companies) in usage {
            self.load_usage(&api, *on, records(*on, companies)).await.unwrap();
        }
        self.complete(&api).await;
    }

    /// Builds the candidates.
    pub async fn build(&self) -> Counters {
        let fence = self.begin(STAGE_BUILD_FACT).await;
        self.warehouse.build_fact(&fence, self.run.window, self.now, Arc::new(|_| ())).await.unwrap()
    }

    /// Publishes the candidates and ends the run.
    pub async fn publish(&self) -> PublishOutcome {
        let fence = self.begin(STAGE_VALIDATE).await;
        let outcome = self.warehouse.publish_fact(&fence, self.run.window, &[], self.now).await.unwrap();
        self.warehouse.finish_run(self.run.run_id, self.run.lease_epoch, self.now).await.unwrap();
        outcome
    }

    /// The run as it is now.
    pub async fn reload(&self) -> Run {
        self.warehouse.run(self.run.run_id).await.unwrap().unwrap()
    }

    /// Fails an attempt, retryably or permanently.
    pub async fn fail(&self, fence: &Fence, will_retry: bool) {
        self.warehouse.fail_stage(fence, &failure(will_retry), None, self.now).await.unwrap();
    }

    /// Waits until no dropped call is still committing: an engine with one writer
    /// blocks other writers until then, and one with many does not know the state of a
    /// stage about to commit.
    pub async fn settle(&self, fence: &Fence) {
        let (run_id, epoch) = (self.run.run_id, self.run.lease_epoch);
        assert_eq!(self.warehouse.renew_lease(run_id, epoch, TTL).await.unwrap(), LeaseState::Held);
        let held = self.warehouse.check_fence(fence).await;
        assert!(matches!(held, Ok(()) | Err(Error::Fenced { .. })), "{held:?}");
    }

    /// Ends the run.
    pub async fn finish(&self) -> Result<RunState> {
        self.warehouse.finish_run(self.run.run_id, self.run.lease_epoch, self.now).await
    }

    /// Fails the next stage permanently, and with it the run.
    pub async fn fail_at(&self, stage: &str) {
        let fence = self.begin(stage).await;
        self.fail(&fence, false).await;
        assert_eq!(self.finish().await.unwrap(), RunState::Failed);
    }

    /// Cancels the run, as an operator would.
    pub async fn cancel(&self) {
        self.warehouse.cancel_run(self.run.run_id, self.now).await.unwrap();
    }
}

/// A whole run: ingest, build, publish.
pub async fn publish_run(
    warehouse: &SharedWarehouse,
    window: DateWindow,
    now: DateTime<Utc>,
    exports: &[(CrmExport, Vec<CrmCompany>)],
    usage: &[UsageOfDay<'_>],
) -> PublishOutcome {
    let run = hold_run(warehouse, window, now).await;
    run.ingest(exports, usage).await;
    run.build().await;
    run.publish().await
}

/// The product API's answers for every day that the fact of `window` reads: those of
/// `usage`, and no records on other days.
#[must_use]
pub fn all_days<'a>(window: DateWindow, usage: &[UsageOfDay<'a>]) -> Vec<UsageOfDay<'a>> {
    let reported = |day| usage.iter().find(|(on, _)| *on == day).cloned();
    window.reaching_back(CHURN_DAYS - 1).days().map(|day| reported(day).unwrap_or((day, vec![]))).collect()
}

/// An export file named after the day on which it takes effect.
#[must_use]
pub fn export(effective_on: NaiveDate, etag: &str) -> CrmExport {
    CrmExport {
        path: format!("companies_{effective_on}.csv"),
        etag: etag.to_owned(),
        effective_on,
        bytes: 100,
        archive_path: Some(format!("crm/archive/companies_{effective_on}.csv/{etag}.csv")),
    }
}

/// A landed day.
#[must_use]
pub fn usage_day(on: NaiveDate) -> UsageDay {
    UsageDay {
        day: on,
        landing_path: Some(format!("product_usage/{on}/usage_{on}.json")),
        bytes: 1_000,
        etag: Some(format!("etag of {on}")),
        page_ends: vec![2, 3],
    }
}

/// Everything published in `window`, by company, then day.
pub async fn published(warehouse: &SharedWarehouse, window: DateWindow) -> Vec<FactRow> {
    let query = ActivityQuery { company_id: None, window, after: None, as_of: None };
    warehouse.export_facts(&query).await.unwrap().rows().try_collect().await.unwrap()
}

/// Whether exactly this export is loaded.
///
/// # Panics
/// If the warehouse fails.
pub async fn has_crm_export(warehouse: &SharedWarehouse, export: &CrmExport) -> bool {
    warehouse.new_crm_exports(slice::from_ref(export)).await.unwrap().is_empty()
}

/// The checksum of the rows published on a day, whatever the ledger says.
pub async fn checksum_of(warehouse: &SharedWarehouse, on: NaiveDate) -> Checksum {
    published(warehouse, DateWindow::day(on)).await.iter().collect()
}

/// Everything published of one company in `window`, in order.
pub async fn published_of(warehouse: &SharedWarehouse, company_id: &str, window: DateWindow) -> Vec<FactRow> {
    let query = ActivityQuery { company_id: Some(id(company_id)), window, after: None, as_of: None };
    warehouse.export_facts(&query).await.unwrap().rows().try_collect().await.unwrap()
}

/// A row's day as its offset from [`day`] 0.
#[must_use]
pub fn offset_of(row: &FactRow) -> i64 {
    (row.key.activity_date - day(0)).num_days()
}
