//! What the ledger says of published days, and what is there.

use chrono::NaiveDate;
use domain::Checksum;

/// What a day holds: its rows, and their checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// How many rows.
    pub rows: i64,
    /// What they hold.
    pub checksum: Checksum,
}

/// A day that is not what its publish left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The day.
    pub day: NaiveDate,
    /// What the ledger says; `None` if it has no such day.
    pub ledger: Option<Content>,
    /// What is there.
    pub found: Content,
}
