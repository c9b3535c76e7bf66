//! What tests see of staging. No program reads it through an engine, so it is no part of
//! [`Warehouse`](crate::Warehouse).

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{CompanyId, DateWindow, EventRecord, FactRow};
use uuid::Uuid;

use crate::{error::Result, quarantine::QuarantinedRow};

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

/// A published row that a publish replaced or took away.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacedRow {
    /// The row as it was.
    pub row: FactRow,
    /// The time of that publish.
    pub replaced_at: DateTime<Utc>,
    /// The run that published then.
    pub replaced_by: Uuid,
}

/// An entry of the log of publications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedPublication {
    /// The day.
    pub activity_date: NaiveDate,
    /// When it was published, or taken back.
    pub published_at: DateTime<Utc>,
    /// The run that did so.
    pub run_id: String,
    /// How many rows it has since then; `None` if it was taken back.
    pub row_count: Option<i64>,
    /// Their checksum as it is stored.
    pub checksum: Option<i64>,
}

/// Shows tests what was staged, what was set aside and what is kept of earlier publishes.
/// Every method sees one consistent state.
#[async_trait]
pub trait StagingInspector: Send + Sync {
    /// A company's events, by day, then identifier.
    async fn stored_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<StoredEvent>>;

    /// A company's daily sums, by day; days without events are missing.
    async fn daily_events(&self, company: &CompanyId, window: DateWindow) -> Result<Vec<DailyEvents>>;

    /// What was replaced of a window, by company, then day, then time.
    async fn replaced_rows(&self, window: DateWindow) -> Result<Vec<ReplacedRow>>;

    /// The log of a window, by day, then time.
    async fn logged_publications(&self, window: DateWindow) -> Result<Vec<LoggedPublication>>;

    /// The newest `limit` rows, by origin and line; only those of `run_id` if given.
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>>;
}
