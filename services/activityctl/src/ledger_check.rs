//! Compares the ledger's record of published days with their rows.

use chrono::NaiveDate;
use domain::Checksum;

/// What a day holds: its rows, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// The number of rows.
    pub rows: i64,
    /// The checksum over them.
    pub checksum: Checksum,
}

/// A day that differs from the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The day.
    pub day: NaiveDate,
    /// The ledger's record; `None` if it has no such day.
    pub ledger: Option<Content>,
    /// What the day holds.
    pub found: Content,
}
