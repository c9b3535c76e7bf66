//! What tests see of staging. No program reads it through an engine, so it is no part of
//! [`Warehouse`](crate::Warehouse).

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{CompanyId, DateWindow, EventRecord};
use uuid::Uuid;

use crate::error::Result;

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The event.
    pub record: EventRecord,
    /// The path of the file whose record is in effect.
    pub source_path: String,
}

/// The sum of a company's events of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyEvents {
    /// The day.
    pub date: NaiveDate,
    /// The sum of the events' counts.
    pub events: i64,
    /// Number of events, those with a count of zero included.
    pub event_count: i64,
}

/// A row in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// The run that first read the row.
    pub run_id: Uuid,
    /// The stage that read it.
    pub stage: String,
    /// The file it came from, relative to its storage root.
    pub origin: String,
    /// The line in the file, from 1.
    pub line: u64,
    /// Why it was rejected.
    pub reason: String,
    /// The row as the source wrote it.
    pub raw: String,
    /// When it was quarantined.
    pub quarantined_at: DateTime<Utc>,
}

/// Shows tests what was staged and what was set aside. Every method sees one consistent
/// state.
#[async_trait]
pub trait StagingInspector: Send + Sync {
    /// A company's events, by day, then identifier.
    async fn stored_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<StoredEvent>>;

    /// A company's daily sums, by day; days without events are missing.
    async fn daily_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<DailyEvents>>;

    /// The newest `limit` rows, by origin and line; only those of `run_id` if given.
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>>;
}
