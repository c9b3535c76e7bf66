//! Rows that were not valid input.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::Result;

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

/// Reads the quarantine. Loads write it in their own transactions; loading a file again
/// replaces that file's rows.
#[async_trait]
pub trait QuarantineReader: Send + Sync {
    /// The newest `limit` rows, by origin and line; only those of `run_id` if given.
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>>;
}
