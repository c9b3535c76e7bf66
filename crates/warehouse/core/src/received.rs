//! What was read of a delivery, for judging it.

use std::{
    borrow::Cow,
    collections::HashMap,
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

/// The words of rejected rows that somebody has accepted, as hashes, because there may be
/// many, and how many rows have them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedWords(HashMap<u64, u64>);

impl AcceptedWords {
    /// Adds the words of a row: its reason's [cause](domain::RejectionReason::cause) and its
    /// text.
    pub fn add(&mut self, cause: &str, raw: &str) {
        *self.0.entry(Self::hash(cause, raw)).or_default() += 1;
    }

    /// Whether they cover this row as well, which they do no longer then.
    fn use_up(&mut self, Rejection { reason, raw, .. }: &Rejection) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let left = self.0.get_mut(&Self::hash(&reason.cause(), raw)).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    fn hash(cause: &str, raw: &str) -> u64 {
        let mut words = DefaultHasher::new();
        for text in [cause, raw] {
            // An engine may store the one character in place of the other.
            text.split(['\0', char::REPLACEMENT_CHARACTER]).for_each(|part| part.hash(&mut words));
            0_u64.hash(&mut words);
        }
        words.finish()
    }
}

impl Received {
    /// Counts a row.
    pub fn note<T>(&mut self, row: &SourceRow<T>) {
        self.counters.rows_read += 1;
        if let Some(rejection) = row.rejection() {
            self.counters.rows_rejected += 1;
            self.accepted += u64::from(self.accepted_before.use_up(rejection));
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
    let origin = quoted(origin);
    format!(
        "its rejected rows are listed by `activityctl quarantine list --origin {origin}`; if they may stay as they \
         are, accept them with `activityctl quarantine accept --origin {origin} --why ...` and retry the run; what \
         was loaded before, and is read again because somebody asked, is asked for once more with `activityctl \
         quarantine replay --origin {origin} --state all`"
    )
}

/// A word that a shell takes as it is.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-=+:,@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
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

#[cfg(test)]
mod tests {
    use domain::RejectionReason;

    use super::*;

    #[test]
    fn accepted_words_are_found_in_the_form_in_which_they_are_stored() {
        let mut words = AcceptedWords::default();
        words.add("torn", "a\u{fffd}b");
        let row = |raw| Rejection::new(1, RejectionReason::Malformed("torn".into()), raw);
        assert!(!words.use_up(&row("ab")));
        assert!(words.use_up(&row("a\0b")));
        assert!(!words.use_up(&row("a\0b")), "one row was accepted");
    }

    #[test]
    fn a_command_can_be_pasted_whatever_the_file_is_called() {
        assert_eq!(quoted("crm/companies_2026-02-12.csv"), "crm/companies_2026-02-12.csv");
        for (word, expected) in [("", "''"), ("a b.csv", "'a b.csv'"), ("$(x)'.csv", r"'$(x)'\''.csv'")] {
            assert_eq!(quoted(word), expected);
        }
        assert!(way_to_accept("a b.csv").contains("accept --origin 'a b.csv' --why"));
    }
}
