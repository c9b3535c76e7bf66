//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, UsageRecord};
use uuid::Uuid;

use crate::{
    error::Result, fence::Fence, row_stream::RowStream, runs::StageCompletion, usage_judgement::UsageLimits,
};

/// One fetched day of the product API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDay {
    /// The day.
    pub day: NaiveDate,
    /// Path of its landed raw records; `None` if there were none.
    pub landing_path: Option<String>,
    /// Bytes of the landed file.
    pub bytes: u64,
    /// The entity tag of the landed file; `None` if there is none.
    pub etag: Option<String>,
    /// The number of the last record of each page of the answer, from page 1 on. Records are
    /// numbered like the lines of the landed file.
    pub page_ends: Vec<u64>,
}

/// The state of a day fetched before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDayState {
    /// The day.
    pub day: NaiveDate,
    /// Records staged for it.
    pub records: u64,
    /// When it was last fetched.
    pub fetched_at: DateTime<Utc>,
    /// The run that fetched it last.
    pub run_id: Uuid,
    /// Path of its landed raw records; `None` if there were none.
    pub landing_path: Option<String>,
    /// Bytes of the landed file.
    pub bytes: u64,
    /// The entity tag of the landed file; `None` if there is none, or nobody noted it.
    pub etag: Option<String>,
    /// The number of the last record of each page of the answer, from page 1 on; empty if
    /// nobody noted it.
    pub page_ends: Vec<u64>,
}

/// What a load did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadOutcome {
    /// The balanced counts of the load.
    pub counters: Counters,
}

/// Staging of product usage, day by day. For each day fetched, the product API is the
/// authority.
#[async_trait]
pub trait UsageStaging: StageCompletion {
    /// The days of `window` fetched before, in order.
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>>;

    /// The fetched days that are to be fetched [again](crate::QuarantineStore::request_replay),
    /// in order.
    async fn usage_replays(&self) -> Result<Vec<NaiveDate>>;

    /// Replaces a day's staged usage with what arrived: writes what is new or
    /// corrected, removes what the API no longer returns, leaves equal records alone,
    /// and marks dirty the published company-days that read a change.
    ///
    /// Equal records for one company count as duplicates; of different ones the last is
    /// used and the others are quarantined.
    ///
    /// Unreadable input removes nothing. A rejected record of a company without another
    /// record in the answer leaves the company's staged usage as it is, and one that
    /// concerns [anyone](domain::Concerns::Anyone) does so for every company that the
    /// answer does not name.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) for an
    /// [implausible](crate::ComparedDay::judge) answer. Nothing of a refused answer is
    /// loaded, but its rejected records are in quarantine.
    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome>;
}
