//! What a backfill would change, before anything is changed.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, FactRow, UsageRecord};

use crate::{ProgressSink, Result, RowStream, UsageLimits};

/// A company-day that a backfill would change.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyDayChange {
    /// What is published; `None` if it would be new.
    pub old: Option<FactRow>,
    /// What would be published; `None` if it would be gone.
    pub new: Option<FactRow>,
}

/// What would become of a day's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayChanges {
    /// The day.
    pub day: NaiveDate,
    /// Whether it is published already.
    pub is_published: bool,
    /// Rows that would be added.
    pub new: u64,
    /// Rows whose values would change.
    pub changed: u64,
    /// Rows that would be removed.
    pub gone: u64,
    /// Published rows that would stay as they are.
    pub unchanged: u64,
}

/// What a backfill would change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreviewOutcome {
    /// The days of the backfill and those that it reaches, in order.
    pub days: Vec<DayChanges>,
    /// Some of the company-days that would change: corrections first, then what
    /// would go, then what would be new; each by company, then day.
    pub sample: Vec<CompanyDayChange>,
    /// Whether something was loaded or published since the preview began, so
    /// that it may mix two states.
    pub is_outdated: bool,
}

/// Tells what a backfill would change.
#[async_trait]
pub trait BackfillPreview: Send + Sync {
    /// Begins the preview of a backfill over `windows`, which are in order and
    /// do not overlap.
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>>;
}

/// A preview under way. All it collects is temporary and its own: dropping it
/// leaves nothing behind.
#[async_trait]
pub trait PreviewSession: Send {
    /// Takes what the product API returns for a day, as
    /// [`load_usage_day`](crate::UsageStaging::load_usage_day) would: of several
    /// records for one company the last counts, rejected ones change nothing.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an answer that would fail the
    /// backfill as well.
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<()>;

    /// Computes what publishing would change, with the statements of the build,
    /// and up to `sample` company-days of it. `now` is the `loaded_at` of rows
    /// that would be written.
    async fn finish(
        self: Box<Self>,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome>;
}
