//! What a publish leaves behind for a day.

use chrono::{DateTime, NaiveDate, Utc};

use crate::checksum::{Checksum, UnknownChecksumVersion};

/// Which run last published a day, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The day.
    pub activity_date: NaiveDate,
    /// The run's id.
    pub run_id: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Number of rows of the day.
    pub row_count: i64,
    /// The checksum of these rows, unless a newer release wrote it.
    pub checksum: Result<Checksum, UnknownChecksumVersion>,
}
