//! What tests see of staging. No program reads it through an engine, so it is no part of
//! [`Warehouse`](crate::Warehouse).

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{CompanyId, DateWindow, EventRecord};
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
