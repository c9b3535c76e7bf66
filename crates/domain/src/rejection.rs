//! Rows that a source delivered but that are not valid input.

use chrono::NaiveDate;

use crate::{
    company::{CompanyId, InvalidCompanyId},
    date_window::DateWindow,
    rejection_kind::RejectionKind,
};

/// Why a row was quarantined instead of staged.
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
        /// What is wrong with the field.
        problem: String,
    },
    /// The record is for a day that was not requested.
    #[error("date {date} lies outside the asked days {asked}")]
    DateOutsideWindow {
        /// The record's day.
        date: NaiveDate,
        /// The requested days.
        asked: DateWindow,
    },
    /// The event's day is implausibly early or late.
    #[error("date {date} lies outside {earliest}..{latest}, the days on which there may be events")]
    NoEventDay {
        /// The event's day.
        date: NaiveDate,
        /// The first day that may have events.
        earliest: NaiveDate,
        /// The last day that may have events.
        latest: NaiveDate,
    },
    /// A count below zero.
    #[error("{field} is negative: {value}")]
    NegativeCount {
        /// The field's name at the source.
        field: &'static str,
        /// The field's value.
        value: i64,
    },
    /// The row cannot be read at all.
    #[error("{0}")]
    Malformed(String),
    /// The row belongs to a delivery of several files.
    #[error("{path}, line {line}: {reason}")]
    InPart {
        /// The file.
        path: String,
        /// The row's line in that file, from 1.
        line: u64,
        /// What is wrong with the row.
        reason: Box<RejectionReason>,
    },
    /// A later row of the same delivery has the same key with other values.
    #[error("superseded by line {by_line}, which gives the same key other values")]
    Superseded {
        /// The later line, whose values are used.
        by_line: u64,
    },
}

impl RejectionReason {
    /// The reason in words that do not say where a row stands: other rows move it.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            Self::InPart { reason, .. } => reason.cause(),
            Self::Superseded { .. } => "superseded".to_owned(),
            reason => reason.to_string(),
        }
    }

    /// What kind of reason it is.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        match self {
            Self::CompanyId(_) => RejectionKind::CompanyId,
            Self::Field { .. } => RejectionKind::Field,
            Self::DateOutsideWindow { .. } | Self::NoEventDay { .. } => RejectionKind::Date,
            Self::NegativeCount { .. } => RejectionKind::NegativeCount,
            Self::Malformed(_) => RejectionKind::Malformed,
            Self::InPart { reason, .. } => reason.kind(),
            Self::Superseded { .. } => RejectionKind::Superseded,
        }
    }
}

/// Which company an unreadable row was about. What is known of that company stays as it
/// is: only a readable delivery without a company removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerns {
    /// This company.
    Company(CompanyId),
    /// Any company that the delivery does not name in another row.
    Anyone,
    /// No company: a row for another day, a footer.
    NoOne,
}

/// A row to quarantine, with its position in the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The line in the file, from 1.
    pub line: u64,
    /// Why it is rejected.
    pub reason: RejectionReason,
    /// The row as the source wrote it, truncated to [`MAX_RAW_BYTES`].
    pub raw: String,
    /// Which company it was about.
    pub concerns: Concerns,
}

/// The longest raw text stored with a quarantined row, in bytes.
pub const MAX_RAW_BYTES: usize = 8 * 1024;

impl Rejection {
    /// Rejects a row that may concern any company; a `raw` that is too long is
    /// truncated at a character boundary.
    #[must_use]
    pub fn new(line: u64, reason: RejectionReason, raw: &str) -> Self {
        let cut = raw.floor_char_boundary(MAX_RAW_BYTES);
        let raw = raw.get(..cut).unwrap_or_default().to_owned();
        Self { line, reason, raw, concerns: Concerns::Anyone }
    }

    /// Where the row is, and why it is rejected.
    #[must_use]
    pub fn reported(&self) -> String {
        let Self { line, reason, .. } = self;
        match reason {
            RejectionReason::InPart { .. } => reason.to_string(),
            _ => format!("line {line}: {reason}"),
        }
    }

    /// The same rejection for a row known to concern some company, or none.
    #[must_use]
    pub fn concerning(self, concerns: Concerns) -> Self {
        Self { concerns, ..self }
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
    /// Valid except for the fields that `row` names. The row is quarantined and counts
    /// as rejected; those fields keep their last known value.
    Partial {
        /// The readable part.
        row: T,
        /// The rejection of the rest.
        rejection: Rejection,
    },
    /// The row is quarantined.
    Rejected(Rejection),
}

impl<T> SourceRow<T> {
    /// The part of the row to quarantine.
    pub const fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Accepted { .. } => None,
            Self::Partial { rejection, .. } | Self::Rejected(rejection) => Some(rejection),
        }
    }
}

/// How many rows of a delivery may be rejected before the whole delivery is distrusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RejectionLimit {
    /// The largest allowed share of rejected rows, from 0 to 1.
    pub max_share: f64,
}

impl RejectionLimit {
    /// Any number may be rejected.
    pub const NONE: Self = Self { max_share: 1.0 };

    /// So few rejected rows are never too many: in a short delivery, one is a large
    /// share.
    pub const A_HANDFUL: u64 = 3;

    /// Whether `rejected` of `read` rows are too many.
    #[must_use]
    pub fn is_exceeded(self, read: u64, rejected: u64) -> bool {
        rejected >= Self::A_HANDFUL && share(rejected, read) > self.max_share
    }

    /// Fails if too many of the rows read are rejected.
    ///
    /// # Errors
    /// `40 of 100 rows rejected (40.0 %), more than the allowed 5.0 %`.
    pub fn check(self, read: u64, rejected: u64) -> Result<(), String> {
        if !self.is_exceeded(read, rejected) {
            return Ok(());
        }
        Err(format!(
            "{rejected} of {read} rows rejected ({:.1} %), more than the allowed {:.1} %",
            share(rejected, read) * 100.0,
            self.max_share * 100.0
        ))
    }
}

/// A part as a share of a whole: 0.5 is half of it. A whole of 0 counts as 1.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share needs no 53 bits")]
pub fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
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

    #[test]
    fn a_reason_in_a_part_is_of_the_reasons_own_kind() {
        let reason = Box::new(RejectionReason::NegativeCount { field: "events", value: -1 });
        assert_eq!(reason.kind(), RejectionKind::NegativeCount);
        let cause = reason.cause();
        let in_part = RejectionReason::InPart { path: "b.csv".into(), line: 3, reason };
        assert_eq!(in_part.cause(), cause, "a part that grew moves the rows behind it");
        assert_eq!(in_part.kind(), RejectionKind::NegativeCount);
    }

    #[test]
    fn a_handful_or_a_small_share_of_rejected_rows_is_not_too_many() {
        let limit = RejectionLimit { max_share: 0.05 };
        for (read, rejected, expected) in [
            (0, 0, false),
            (2, 2, false),
            (3, 3, true),
            (60, 3, false),
            (59, 3, true),
            (1_000, 50, false),
            (1_000, 51, true),
        ] {
            assert_eq!(limit.is_exceeded(read, rejected), expected, "{rejected} of {read}");
        }
        assert!(!RejectionLimit::NONE.is_exceeded(5, 5));
        assert_eq!(
            limit.check(100, 40),
            Err("40 of 100 rows rejected (40.0 %), more than the allowed 5.0 %".to_owned())
        );
    }
}
