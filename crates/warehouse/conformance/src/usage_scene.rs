//! The words in which usage behaviours are told: answers of the product API, and
//! what loading them does.

use std::fmt::Debug;

use chrono::NaiveDate;
use domain::{
    Concerns, Counters, Rejection, RejectionReason, SourceRow, UsageRecord,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use futures::{StreamExt, stream};
use warehouse_core::{
    Error, Fence, LoadOutcome, PublishOutcome, Result, SharedWarehouse, SourceError, UsageDayState,
    UsageLimits,
};

use crate::scene::{HeldRun, at, day, days, few_rejections, hold_run, id, usage_day};

/// Limits under which an answer may lack next to nothing.
#[must_use]
pub const fn strict() -> UsageLimits {
    UsageLimits { rejections: few_rejections(), max_loss_share: 0.05, accepts_silence: false }
}

/// The same of an answer of which somebody said that it is right.
#[must_use]
pub const fn accepted_silence() -> UsageLimits {
    UsageLimits { accepts_silence: true, ..strict() }
}

/// A record of which nothing could be read but whose it may be.
#[must_use]
pub fn unreadable(line: u64, concerns: Concerns) -> SourceRow<UsageRecord> {
    let reason = RejectionReason::Malformed("torn".to_owned());
    SourceRow::Rejected(Rejection::new(line, reason, "torn").concerning(concerns))
}

/// The same of a record that is known to be a company's.
#[must_use]
pub fn unreadable_of(line: u64, company_id: &str) -> SourceRow<UsageRecord> {
    unreadable(line, Concerns::Company(id(company_id)))
}

impl HeldRun {
    /// Loads a day of usage; whatever the answer lacks is believed.
    pub async fn load_usage(
        &self,
        fence: &Fence,
        on: NaiveDate,
        rows: Vec<SourceRow<UsageRecord>>,
    ) -> Result<LoadOutcome> {
        self.load_usage_within(fence, on, UsageLimits::NONE, rows).await
    }

    /// Loads a day of usage if its answer is believed.
    pub async fn load_usage_within(
        &self,
        fence: &Fence,
        on: NaiveDate,
        limits: UsageLimits,
        rows: Vec<SourceRow<UsageRecord>>,
    ) -> Result<LoadOutcome> {
        let rows = stream::iter(rows.into_iter().map(Ok)).boxed();
        self.warehouse.load_usage_day(fence, &usage_day(on), limits, rows, self.now).await
    }

    /// Loads a day of usage whose source breaks off after its rows.
    pub async fn load_broken_usage(
        &self,
        fence: &Fence,
        on: NaiveDate,
        rows: Vec<SourceRow<UsageRecord>>,
    ) -> Result<LoadOutcome> {
        let breaks =
            SourceError { kind: domain::FailureKind::Unavailable, message: "the source is gone".to_owned() };
        let rows = stream::iter(rows.into_iter().map(Ok).chain([Err(breaks)])).boxed();
        self.warehouse.load_usage_day(fence, &usage_day(on), UsageLimits::NONE, rows, self.now).await
    }
}

/// A run in its usage stage.
pub async fn fetching_run(warehouse: &SharedWarehouse, hour: i64) -> (HeldRun, Fence) {
    let run = hold_run(warehouse, days(0, 3), at(hour)).await;
    let fence = run.begin(STAGE_CALL_PRODUCT_API).await;
    (run, fence)
}

/// Ends the ingest and publishes.
pub async fn publish(run: &HeldRun, fence: &Fence) -> PublishOutcome {
    run.complete(fence).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    run.complete(&crm).await;
    run.build().await;
    run.publish().await
}

/// What loading a day of 1,000 bytes counts.
#[must_use]
pub fn loaded(written: u64, unchanged: u64, removed: u64) -> Counters {
    Counters {
        rows_read: written + unchanged,
        rows_written: written,
        rows_unchanged: unchanged,
        rows_removed: removed,
        bytes_read: 1_000,
        ..Counters::default()
    }
}

/// What is known of a day that `run` fetched last.
#[must_use]
pub fn fetched(run: &HeldRun, offset: i64, records: u64) -> UsageDayState {
    UsageDayState { day: day(offset), records, fetched_at: run.now, run_id: run.run.run_id }
}

/// Checks that an answer was not believed, and returns why.
///
/// # Panics
/// If it was, or if something else went wrong.
#[track_caller]
pub fn refusal<T: Debug>(outcome: Result<T>) -> String {
    match outcome {
        Err(Error::Refused(problem)) => problem,
        other => panic!("{other:?}"),
    }
}
