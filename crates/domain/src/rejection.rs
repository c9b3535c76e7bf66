//! Rows that a source delivered and that are no valid input.

use chrono::NaiveDate;

use crate::{DateWindow, company::InvalidCompanyId};

/// Why a row went into quarantine instead of staging.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectionReason {
    /// The identifier is unusable.
    #[error("{0}")]
    CompanyId(InvalidCompanyId),
    /// A field is missing or has the wrong form.
    #[error("{field}: {problem}")]
    Field {
        /// The field's name at the source.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The record is for a day that nobody asked for.
    #[error("date {date} lies outside the asked days {asked}")]
    DateOutsideWindow {
        /// The record's day.
        date: NaiveDate,
        /// The asked days.
        asked: DateWindow,
    },
    /// The event is too old or too new to be one.
    #[error("date {date} lies outside {earliest}..{latest}, the days on which there may be events")]
    NoEventDay {
        /// The event's day.
        date: NaiveDate,
        /// The first day with events.
        earliest: NaiveDate,
        /// The last day with events.
        latest: NaiveDate,
    },
    /// A count below zero.
    #[error("{field} is negative: {value}")]
    NegativeCount {
        /// The field's name at the source.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The row is not readable at all.
    #[error("{0}")]
    Malformed(String),
    /// A later row of the same delivery gives the same key other values.
    #[error("superseded by line {by_line}, which gives the same key other values")]
    Superseded {
        /// The line that counts.
        by_line: u64,
    },
}

/// A row that goes into quarantine, with its origin inside the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The line in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: RejectionReason,
    /// The row as the source wrote it, cut to [`MAX_RAW_BYTES`].
    pub raw: String,
}

/// The longest raw text kept with a quarantined row, in bytes.
pub const MAX_RAW_BYTES: usize = 8 * 1024;

impl Rejection {
    /// A rejection; an overlong `raw` is cut at a character boundary.
    #[must_use]
    pub fn new(line: u64, reason: RejectionReason, raw: &str) -> Self {
        let cut = raw.floor_char_boundary(MAX_RAW_BYTES);
        Self { line, reason, raw: raw.get(..cut).unwrap_or_default().to_owned() }
    }
}

/// One row of a delivery, good or bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceRow<T> {
    /// Valid input.
    Accepted {
        /// The line in the file, from 1.
        line: u64,
        /// The row.
        row: T,
    },
    /// Input for the quarantine.
    Rejected(Rejection),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlong_raw_text_is_cut_between_characters() {
        let raw = "ä".repeat(MAX_RAW_BYTES);
        let rejection = Rejection::new(1, RejectionReason::Malformed("x".into()), &raw);
        assert_eq!(rejection.raw.len(), MAX_RAW_BYTES);
        assert!(raw.starts_with(&rejection.raw));
    }
}
