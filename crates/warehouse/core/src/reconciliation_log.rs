//! Which comparisons with the product API there were, and what they found.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::DateWindow;

use crate::error::Result;

/// Identifies a comparison. A later one has a greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReconciliationId(pub i64);

/// A comparison that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// The days.
    pub window: DateWindow,
    /// How many companies were named; 0: all.
    pub companies: u32,
    /// The most companies compared per day; 0: all.
    pub sample_size: u32,
    /// Who asked for it.
    pub requested_by: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Company-days compared.
    pub compared: u64,
    /// How many of them differ.
    pub mismatches: u64,
    /// Records of the source that could not be read.
    pub invalid_records: u64,
    /// Differences that a run under way may be about to publish.
    pub awaiting_run: u64,
    /// The differences by kind: its number in the contract, because a newer service may know more
    /// kinds than this program.
    pub by_kind: Vec<(i32, u64)>,
}

/// The record of comparisons.
#[async_trait]
pub trait ReconciliationLog: Send + Sync {
    /// Records a comparison that came to its end.
    async fn record_reconciliation(&self, ended: &Reconciliation) -> Result<ReconciliationId>;

    /// Up to `limit` comparisons before one, the newest first.
    async fn reconciliations(
        &self,
        before: Option<ReconciliationId>,
        limit: u32,
    ) -> Result<Vec<(ReconciliationId, Reconciliation)>>;
}
