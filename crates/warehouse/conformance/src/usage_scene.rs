//! The vocabulary of usage behaviours: answers of the product API, and the effects of
//! loading them.

use std::fmt::Debug;

use chrono::NaiveDate;
use domain::{
    Concerns, Counters, Rejection, RejectionReason, SourceRow, UsageRecord,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use futures::{StreamExt, stream};
use warehouse_core::{
    Error, Fence, LoadOutcome, PublishOutcome, Result, SharedWarehouse, SourceError, UsageDay, UsageDayState,
    UsageLimits,
};

use crate::scene::{HeldRun, at, day, days, few_rejections, hold_run, id, usage_day};

/// Limits under which an answer may lack almost nothing.
#[must_use]
pub const fn strict() -> UsageLimits {
    UsageLimits { rejections: few_rejections(), max_loss_share: 0.05, accepts_silence: false }
}

/// The same limits for an answer that a person has accepted.
#[must_use]
pub const fn accepted_silence() -> UsageLimits {
    UsageLimits { accepts_silence: true, ..strict() }
}

/// A wholly unreadable record that may concern `concerns`.
#[must_use]
pub fn unreadable(line: u64, concerns: Concerns) -> SourceRow<UsageRecord> {
    let reason = RejectionReason::Malformed("torn".to_owned());
    SourceRow::Rejected(Rejection::new(line, reason, "torn").concerning(concerns))
}

/// An unreadable record known to be a company's.
#[must_use]
pub fn unreadable_of(line: u64, company_id: &str) -> SourceRow<UsageRecord> {
    unreadable(line, Concerns::Company(id(company_id)))
}

impl HeldRun {
    /// Loads a day of usage, accepting whatever the answer lacks.
    pub async fn load_usage(
        &self,
        fence: &Fence,
        on: NaiveDate,
        rows: Vec<SourceRow<UsageRecord>>,
    ) -> Result<LoadOutcome> {
        self.load_usage_within(fence, on, UsageLimits::NONE, rows).await
    }

    /// Loads a day of usage if its answer is plausible.
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

/// The counters of loading a day of 1,000 bytes.
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

/// The state of a day that `run` fetched last.
#[must_use]
pub fn fetched(run: &HeldRun, offset: i64, records: u64) -> UsageDayState {
    let UsageDay { day, landing_path, bytes, etag, page_ends } = usage_day(day(offset));
    let (fetched_at, run_id) = (run.now, run.run.run_id);
    UsageDayState { day, records, fetched_at, run_id, landing_path, bytes, etag, page_ends }
}

/// Checks that an answer was refused, and returns why.
///
/// # Panics
/// If it was accepted, or if something else went wrong.
#[track_caller]
pub fn refusal<T: Debug>(outcome: Result<T>) -> String {
    match outcome {
        Err(Error::Refused(problem)) => problem,
        other => panic!("{other:?}"),
    }
}
