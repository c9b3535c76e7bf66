//! What was read of a delivery, for judging it.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Concerns, Counters, Rejection, RejectionLimit, SourceRow};
use futures::{StreamExt, TryStreamExt};

use crate::row_stream::RowStream;

/// How many reasons a refusal of a delivery names.
const TOLD_REASONS: usize = 3;

/// What was read of a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// Rows read and rejected.
    pub counters: Counters,
    /// How many of the rejected rows somebody has accepted as they are.
    pub accepted: u64,
    /// Whether a rejected row may concern a company that the delivery does not name.
    pub may_lack_anyone: bool,
    first_reasons: Vec<String>,
    accepted_before: AcceptedWords,
}

/// The words of rejected rows that somebody has accepted, as hashes: there may be many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedWords(HashSet<u64>);

impl AcceptedWords {
    /// Adds the words of a row.
    pub fn add(&mut self, reason: &str, raw: &str) {
        self.0.insert(Self::hash(reason, raw));
    }

    fn hold(&self, Rejection { reason, raw, .. }: &Rejection) -> bool {
        !self.0.is_empty() && self.0.contains(&Self::hash(&reason.to_string(), raw))
    }

    fn hash(reason: &str, raw: &str) -> u64 {
        let mut words = DefaultHasher::new();
        (reason, raw).hash(&mut words);
        words.finish()
    }
}

impl Received {
    /// Counts a row.
    pub fn note<T>(&mut self, row: &SourceRow<T>) {
        self.counters.rows_read += 1;
        if let Some(rejection) = row.rejection() {
            self.counters.rows_rejected += 1;
            self.accepted += u64::from(self.accepted_before.hold(rejection));
            if self.first_reasons.len() < TOLD_REASONS {
                self.first_reasons.push(rejection.reported());
            }
        }
        // A partly readable row names its company.
        if let SourceRow::Rejected(Rejection { concerns: Concerns::Anyone, .. }) = row {
            self.may_lack_anyone = true;
        }
    }

    /// The first reasons, phrased for the end of a sentence.
    #[must_use]
    pub fn first_reasons(&self) -> String {
        if self.first_reasons.is_empty() {
            String::new()
        } else {
            format!(": {}", self.first_reasons.join("; "))
        }
    }

    /// Checks that few enough rows are rejected, apart from those that somebody has
    /// accepted.
    ///
    /// # Errors
    /// How many are rejected, and the first reasons.
    pub fn within(&self, limit: RejectionLimit) -> Result<(), String> {
        let Counters { rows_read, rows_rejected, .. } = self.counters;
        let open = rows_rejected.saturating_sub(self.accepted);
        limit.check(rows_read, open).map_err(|problem| format!("{problem}{}", self.first_reasons()))
    }
}

/// How to look at what was rejected of a delivery, and to take it as it is, phrased for the
/// middle of a sentence.
pub(crate) fn way_to_accept(origin: &str) -> String {
    format!(
        "its rejected rows are listed by `activityctl quarantine list --origin {origin}`; if they may stay as they \
         are, accept them with `activityctl quarantine accept --origin {origin} --why ...` and retry the run"
    )
}

/// What is counted while rows are read.
#[derive(Debug, Default)]
pub struct Notes(Arc<Mutex<Received>>);

impl Notes {
    /// What has been read so far.
    #[must_use]
    pub fn into_received(self) -> Received {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The same rows, each counted as it is read.
#[must_use]
pub fn noted<'a, T: 'a>(rows: RowStream<'a, T>) -> (RowStream<'a, T>, Notes) {
    noted_after(rows, AcceptedWords::default())
}

/// Like [`noted`], where rejected rows with these words are known to be accepted.
#[must_use]
pub fn noted_after<'a, T: 'a>(
    rows: RowStream<'a, T>,
    accepted_before: AcceptedWords,
) -> (RowStream<'a, T>, Notes) {
    let received = Received { accepted_before, ..Received::default() };
    let notes = Notes(Arc::new(Mutex::new(received)));
    let received = Arc::clone(&notes.0);
    let rows = rows.inspect_ok(move |row| received.lock().unwrap_or_else(PoisonError::into_inner).note(row));
    (rows.boxed(), notes)
}
