//! What a backfill would change, before it changes anything.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, FactRow, UsageRecord};

use crate::{
    error::Result, progress_sink::ProgressSink, row_stream::RowStream, usage_judgement::UsageLimits,
};

/// A company-day that a backfill would change.
#[derive(Debug, Clone, PartialEq)]
pub struct CompanyDayChange {
    /// The published row; `None` if the company-day would be new.
    pub old: Option<FactRow>,
    /// The row that would be published; `None` if it would be removed.
    pub new: Option<FactRow>,
}

/// How a day's rows would change.
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
    /// Published rows that would not change.
    pub unchanged: u64,
}

/// What a backfill would change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PreviewOutcome {
    /// The days that the backfill covers or affects, in order.
    pub days: Vec<DayChanges>,
    /// A sample of the company-days that would change: corrections first, then
    /// removals, then additions; each by company, then day.
    pub sample: Vec<CompanyDayChange>,
    /// Whether something was loaded or published since the preview began, so that it
    /// may mix two states.
    pub is_outdated: bool,
}

/// Reports what a backfill would change.
#[async_trait]
pub trait BackfillPreview: Send + Sync {
    /// Begins the preview of a backfill over `windows`, which are in order and do not
    /// overlap.
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>>;
}

/// A preview in progress. Everything it collects is temporary and private: dropping it
/// leaves nothing behind.
#[async_trait]
pub trait PreviewSession: Send {
    /// Adds what the product API returns for a day, as
    /// [`load_usage_day`](crate::UsageStaging::load_usage_day) would: of several
    /// records for one company the last one counts, rejected ones change nothing.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an answer that the backfill would
    /// refuse, too.
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<()>;

    /// Computes what publishing would change, with the statements of the build, and a
    /// sample of up to `sample` company-days. `now` is the `loaded_at` of rows that
    /// would be written.
    async fn finish(
        self: Box<Self>,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome>;
}
