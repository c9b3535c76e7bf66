//! What a publish leaves behind for a day.

use chrono::{DateTime, NaiveDate, Utc};

use crate::checksum::Checksum;

/// Which run last published a day, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The day.
    pub activity_date: NaiveDate,
    /// The run's id.
    pub run_id: String,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Rows of the day.
    pub row_count: i64,
    /// What these rows hold.
    pub checksum: Checksum,
}
