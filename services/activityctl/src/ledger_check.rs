//! Compares the ledger's record of published days with their rows.

use chrono::NaiveDate;
use domain::{Checksum, Publication, UnknownChecksumVersion};

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

/// What comparing a day with the ledger shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The day is as it was published, or neither published nor there.
    Same,
    /// It is not.
    Differs(Difference),
    /// Only a newer version of the suite can tell.
    Unknown(UnknownChecksumVersion),
}

impl Verdict {
    /// The verdict on a day that holds `found`, computed by the ledger's version.
    #[must_use]
    pub fn on(day: NaiveDate, ledger: Option<&Publication>, found: Content) -> Self {
        let ledger = match ledger.map(|entry| entry.checksum.map(|checksum| (entry.row_count, checksum))) {
            Some(Err(unknown)) => return Self::Unknown(unknown),
            Some(Ok((rows, checksum))) => Some(Content { rows, checksum }),
            None => None,
        };
        if ledger.unwrap_or_default() == found {
            Self::Same
        } else {
            Self::Differs(Difference { day, ledger, found })
        }
    }
}
