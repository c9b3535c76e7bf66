//! Rows that could not be used: finding them, accepting them, and asking for them to be
//! loaded again.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, RejectionKind};
use uuid::Uuid;

use crate::error::{Error, Result};

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
    /// What kind of reason it was rejected for.
    pub kind: RejectionKind,
    /// Why it was rejected.
    pub reason: String,
    /// The row as the source wrote it.
    pub raw: String,
    /// The day that its delivery is about; `None` if it is about none, or if nobody noted it.
    pub business_date: Option<NaiveDate>,
    /// When it was quarantined.
    pub quarantined_at: DateTime<Utc>,
    /// That somebody has declared that it stays as it is.
    pub accepted: Option<Acceptance>,
}

/// A person's declaration that a row stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// Where rows came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// This file.
    File(String),
    /// Every file whose path begins so.
    Below(String),
}

/// Sorts after every path that begins as what it is appended to.
const AFTER_ALL: char = char::MAX;

impl Origin {
    /// The first and the last path that may belong to it.
    #[must_use]
    pub fn range(origin: Option<&Self>) -> (String, String) {
        match origin {
            Some(Self::File(path)) => (path.clone(), path.clone()),
            Some(Self::Below(prefix)) => (prefix.clone(), format!("{prefix}{AFTER_ALL}")),
            None => (String::new(), AFTER_ALL.to_string()),
        }
    }
}

/// Which rows are meant: those that meet every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantineFilter {
    /// Only from there.
    pub origin: Option<Origin>,
    /// Only this line of its file.
    pub line: Option<u64>,
    /// Only of this kind.
    pub kind: Option<RejectionKind>,
    /// Only what this stage read.
    pub stage: Option<String>,
    /// Only deliveries about these days.
    pub days: Option<DateWindow>,
    /// Only accepted rows, or only those that nobody has accepted.
    pub accepted: Option<bool>,
}

/// Checks that as many rows are accepted as somebody has looked at.
///
/// # Errors
/// [`Error::Precondition`] if not.
pub fn check_expected(accepted: u64, expected: Option<u64>) -> Result<u64> {
    match expected {
        Some(expected) if expected != accepted => Err(Error::Precondition(format!(
            "{accepted} rows are meant by now, not {expected}; none was accepted: list them again"
        ))),
        _ => Ok(accepted),
    }
}

/// Where a page starts: after this row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineCursor {
    /// Its file.
    pub origin: String,
    /// Its line.
    pub line: u64,
}

/// What rows are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuarantineGrouping {
    /// Stage and kind of reason.
    Kind,
    /// Stage and the delivery's day.
    Day,
    /// Stage, file, and the delivery's day.
    Origin,
}

/// How many rows have these properties in common. Those that they were not counted by
/// are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineCount {
    /// The stage that read them.
    pub stage: String,
    /// Their kind.
    pub kind: Option<RejectionKind>,
    /// Their file.
    pub origin: Option<String>,
    /// The delivery's day; also `None` if it has none.
    pub business_date: Option<NaiveDate>,
    /// How many.
    pub rows: u64,
}

/// A delivery that was asked to be loaded again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedReplay {
    /// The stage that loads it.
    pub stage: String,
    /// The file that its rows are on record for.
    pub origin: String,
    /// The day that it is about.
    pub business_date: Option<NaiveDate>,
    /// How many rows that were meant are in quarantine.
    pub rows: u64,
    /// Whether it was loaded before, so that it waits to be loaded again now. If not, it
    /// was refused, and whatever run is over its day loads it anyway.
    pub was_loaded: bool,
}

/// A delivery that may be waiting to be loaded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered<'a> {
    /// Of the export with this path, whatever its content or day: the newest delivery of a
    /// path is the one whose rows are on record.
    Export(&'a str),
    /// The event file with this path.
    EventFile(&'a str),
    /// This day of usage.
    Day(NaiveDate),
}

/// Finds rows in quarantine.
#[async_trait]
pub trait QuarantineReader: Send + Sync {
    /// Up to `limit` rows after `after`, by file, then line.
    async fn list_quarantine(
        &self,
        filter: &QuarantineFilter,
        after: Option<&QuarantineCursor>,
        limit: u32,
    ) -> Result<Vec<QuarantinedRow>>;

    /// Up to `limit` groups of rows, the greatest first.
    async fn count_quarantine(
        &self,
        filter: &QuarantineFilter,
        by: QuarantineGrouping,
        limit: u32,
    ) -> Result<Vec<QuarantineCount>>;

    /// What nobody has accepted, by stage and kind, in no order: for monitoring, which asks
    /// often.
    async fn count_open_quarantine(&self) -> Result<Vec<QuarantineCount>>;

    /// The first `limit` rows of a file, by line: for a landed file of usage, the records
    /// of its day that could not be used.
    async fn rows_of_origin(&self, origin: &str, limit: u32) -> Result<Vec<QuarantinedRow>> {
        let filter =
            QuarantineFilter { origin: Some(Origin::File(origin.to_owned())), ..QuarantineFilter::default() };
        self.list_quarantine(&filter, None, limit).await
    }
}

/// Decides on rows in quarantine.
#[async_trait]
pub trait QuarantineStore: QuarantineReader {
    /// Declares that rows which nobody has accepted yet stay as they are, and returns how
    /// many. Nothing that is staged changes. An accepted row stays on record, and counts
    /// neither as waiting nor towards the share of its delivery that may be rejected.
    ///
    /// The acceptance is of the row's words: it holds as long as every load of the file
    /// finds them, on whatever line, and lapses when the text or the reason changes.
    ///
    /// # Errors
    /// [`Error::Precondition`] if there are not exactly `expected` of them, where that is
    /// given; then none is accepted.
    async fn accept_quarantined(
        &self,
        filter: &QuarantineFilter,
        acceptance: &Acceptance,
        expected: Option<u64>,
    ) -> Result<u64>;

    /// Asks for the deliveries of these rows to be loaded again although nothing about
    /// them is new: the next run's stage takes them up, whatever its window, and the
    /// transaction that loads or refuses one answers the request. Asking again changes
    /// nothing but the time.
    async fn request_replay(
        &self,
        filter: &QuarantineFilter,
        now: DateTime<Utc>,
    ) -> Result<Vec<RequestedReplay>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_exactly_what_begins_so() {
        let contains = |origin: Option<&Origin>, path: &str| {
            let (first, last) = Origin::range(origin);
            first.as_str() <= path && path <= last.as_str()
        };
        let folder = Origin::Below("crm/2026-01".to_owned());
        for (path, expected) in [
            ("crm/2026-01", true),
            ("crm/2026-01-31.csv", true),
            ("crm/2026-01ä", true),
            ("crm/2026-02", false),
        ] {
            assert_eq!(contains(Some(&folder), path), expected, "{path}");
        }
        let file = Origin::File("a.csv".to_owned());
        assert!(contains(Some(&file), "a.csv") && !contains(Some(&file), "a.csv.csv"));
        assert!(contains(None, "") && contains(None, "z/ü.csv"));
    }
}
