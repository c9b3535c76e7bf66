//! Entries of the log of publications.

use chrono::{DateTime, Utc};
use domain::Checksum;

use crate::overview::DayPublication;

/// An entry of the log of a day.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the columns are those of the log")]
pub struct LoggedRecord {
    pub published_at: DateTime<Utc>,
    pub run_id: String,
    pub row_count: Option<i64>,
    pub checksum: Option<i64>,
    pub checksum_version: i32,
    pub replaced_rows: i64,
}

impl From<LoggedRecord> for DayPublication {
    fn from(record: LoggedRecord) -> Self {
        let LoggedRecord { published_at, run_id, row_count, checksum, checksum_version, replaced_rows } =
            record;
        let left = row_count
            .map(|rows| (rows, Checksum::from_stored(checksum_version, checksum.unwrap_or_default())));
        Self { published_at, run_id, left, replaced_rows }
    }
}
