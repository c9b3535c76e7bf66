//! The records that the API serves.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    ops::Range,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use chrono::NaiveDate;
use domain::{DateWindow, date_window::parse_day};
use serde::Deserialize;

/// Usage records by day, each kept as its original text.
///
/// A record belongs to the day under which it was put into the book, whatever its own
/// `date` says: this lets a test make the API return a record from outside the
/// requested days. Within a day, records are ordered by `company_id`; equal ones keep
/// their original order.
///
/// Clones share one book; it may change while the API serves it. Each page comes from
/// one state of the book, but two pages may come from different states.
#[derive(Debug, Clone, Default)]
pub struct UsageBook {
    days: Arc<RwLock<BTreeMap<NaiveDate, DayRecords>>>,
}

/// Why records are not accepted into a book.
#[derive(Debug, thiserror::Error)]
pub enum UsageBookError {
    /// Reading the source failed.
    #[error("line {line}: cannot read it")]
    Read {
        /// The line, from 1.
        line: usize,
        /// Why.
        source: io::Error,
    },
    /// The text is not a JSON object, so no response could contain it.
    #[error("line {line}: not a JSON object")]
    NotAnObject {
        /// The line, or the position in the given sequence, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The record does not say which day it belongs to.
    #[error("line {line}: \"date\" is {found}: give it a calendar day of the form \"YYYY-MM-DD\"")]
    NoDate {
        /// The line, from 1.
        line: usize,
        /// What is there instead.
        found: String,
    },
}

/// The fields that determine a record's place. All others are free.
#[derive(Deserialize)]
struct RecordKey {
    date: Option<serde_json::Value>,
    company_id: Option<serde_json::Value>,
}

impl RecordKey {
    fn parse(raw: &str, line: usize) -> Result<Self, UsageBookError> {
        // Deserialising a struct would also accept an array of its values.
        let parsed = if raw.starts_with('{') {
            serde_json::from_str(raw)
        } else {
            Err(serde::de::Error::custom("it does not start with '{'"))
        };
        parsed.map_err(|source| UsageBookError::NotAnObject { line, source })
    }

    /// The sort key: anything but text sorts first.
    fn company_id(&self) -> &str {
        self.company_id.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    fn day(&self, line: usize) -> Result<NaiveDate, UsageBookError> {
        let text = self.date.as_ref().and_then(serde_json::Value::as_str);
        text.and_then(parse_day).ok_or_else(|| {
            let found = self.date.as_ref().map_or("missing".to_owned(), ToString::to_string);
            UsageBookError::NoDate { line, found }
        })
    }
}

impl UsageBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads newline-delimited JSON and puts every record under the day of its `date`.
    /// Blank lines are skipped; other fields are not checked, so invalid values are
    /// served as they are.
    ///
    /// # Errors
    /// At the first line that cannot be read, is not a JSON object or has no day.
    pub fn from_ndjson(reader: impl BufRead) -> Result<Self, UsageBookError> {
        let mut days: BTreeMap<NaiveDate, DayBuilder> = BTreeMap::new();
        for (at, text) in reader.lines().enumerate() {
            let line = at + 1;
            let text = text.map_err(|source| UsageBookError::Read { line, source })?;
            let raw = text.trim();
            if raw.is_empty() {
                continue;
            }
            let key = RecordKey::parse(raw, line)?;
            days.entry(key.day(line)?).or_default().push(raw, key.company_id());
        }
        let days = days.into_iter().map(|(day, records)| (day, records.build())).collect();
        Ok(Self { days: Arc::new(RwLock::new(days)) })
    }

    /// Replaces what the book holds for `day` with `records`, each the text of one JSON
    /// object. Without records, the day disappears from the book.
    ///
    /// # Errors
    /// If a record is not a JSON object; the book is then unchanged.
    pub fn replace_day(
        &self,
        day: NaiveDate,
        records: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<(), UsageBookError> {
        let mut builder = DayBuilder::default();
        for (at, raw) in records.into_iter().enumerate() {
            let raw = raw.as_ref().trim();
            builder.push(raw, RecordKey::parse(raw, at + 1)?.company_id());
        }
        let records = builder.build();
        if records.is_empty() {
            self.write().remove(&day);
        } else {
            self.write().insert(day, records);
        }
        Ok(())
    }

    /// The days that have records, in order.
    #[must_use]
    pub fn days(&self) -> Vec<NaiveDate> {
        self.read().keys().copied().collect()
    }

    /// How many records the book holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().values().map(DayRecords::len).sum()
    }

    /// Whether the book holds no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// The records of `day` in the order in which they are served.
    #[must_use]
    pub fn records(&self, day: NaiveDate) -> Vec<String> {
        let days = self.read();
        let Some(records) = days.get(&day) else { return Vec::new() };
        let texts = (0..records.len()).map(|at| records.slice(at..at + 1));
        texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
    }

    /// At most `take` records of `window`, starting after `skip`: one slice per day
    /// that has any, its records separated by commas.
    pub(crate) fn slices(&self, window: DateWindow, skip: usize, take: usize) -> Vec<Bytes> {
        let (mut skip, mut take) = (skip, take);
        let mut slices = Vec::new();
        for records in self.read().range(window.start()..=window.end()).map(|(_, records)| records) {
            if take == 0 {
                break;
            }
            let start = skip.min(records.len());
            let end = start.saturating_add(take).min(records.len());
            skip -= start;
            take -= end - start;
            if start < end {
                slices.push(records.slice(start..end));
            }
        }
        slices
    }

    /// A panic elsewhere cannot leave the book half-changed: days are replaced whole.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<NaiveDate, DayRecords>> {
        self.days.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<NaiveDate, DayRecords>> {
        self.days.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A day's records as the inside of a JSON array, so that consecutive ones form a slice.
#[derive(Debug)]
struct DayRecords {
    text: Bytes,
    /// Where each record ends in `text`; a comma separates it from the next.
    ends: Vec<usize>,
}

impl DayRecords {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a non-empty range of the day's records.
    fn slice(&self, records: Range<usize>) -> Bytes {
        let end_of = |at: usize| self.ends.get(at).copied();
        let start = records.start.checked_sub(1).and_then(end_of).map_or(0, |end| end + 1);
        let end = records.end.checked_sub(1).and_then(end_of).unwrap_or(start);
        self.text.slice(start..end)
    }
}

/// Collects a day's records in any order.
#[derive(Default)]
struct DayBuilder {
    text: String,
    ends: Vec<usize>,
    company_ids: Vec<Box<str>>,
}

impl DayBuilder {
    fn push(&mut self, raw: &str, company_id: &str) {
        if !self.ends.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(raw);
        self.ends.push(self.text.len());
        self.company_ids.push(company_id.into());
    }

    fn build(mut self) -> DayRecords {
        self.text.shrink_to_fit();
        let given = DayRecords { text: Bytes::from(self.text), ends: self.ends };
        if self.company_ids.is_sorted() {
            return given;
        }
        let mut order: Vec<(Box<str>, usize)> = self.company_ids.into_iter().zip(0..).collect();
        // The key includes the position, so equal companies keep their order.
        order.sort_unstable();
        let mut text = Vec::with_capacity(given.text.len());
        let mut ends = Vec::with_capacity(order.len());
        for (_, at) in order {
            if !ends.is_empty() {
                text.push(b',');
            }
            text.extend_from_slice(&given.slice(at..at + 1));
            ends.push(text.len());
        }
        DayRecords { text: Bytes::from(text), ends }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        parse_day(text).unwrap()
    }

    fn error(ndjson: &str) -> String {
        UsageBook::from_ndjson(ndjson.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn records_are_ordered_by_company_and_equal_ones_stay_in_order() {
        let book = UsageBook::new();
        let given = [
            r#"{"company_id":"b","events":1}"#,
            r#"{"company_id":"a"}"#,
            r#"{"company_id":"b","events":0}"#,
            r#"{"company_id":7}"#,
        ];
        book.replace_day(day("2026-01-01"), given).unwrap();
        assert_eq!(book.records(day("2026-01-01")), [given[3], given[1], given[0], given[2]]);
    }

    #[test]
    fn lines_are_kept_verbatim_with_invalid_values_and_unknown_fields() {
        let line = r#"{ "date" : "2026-01-02","company_id":null, "events": -3.5e2, "more":["x" ] }"#;
        let book = UsageBook::from_ndjson(format!("\n{line}\r\n\n").as_bytes()).unwrap();
        assert_eq!(book.days(), [day("2026-01-02")]);
        assert_eq!(book.records(day("2026-01-02")), [line]);
    }

    #[test]
    fn a_line_without_a_usable_date_is_refused_by_number() {
        assert!(
            error("{\"date\":\"2026-01-01\"}\n{\"events\":1}").starts_with("line 2: \"date\" is missing")
        );
        assert!(error(r#"{"date":"2026-1-1"}"#).starts_with("line 1: \"date\" is \"2026-1-1\""));
        assert!(error(r#"{"date":20260101}"#).starts_with("line 1: \"date\" is 20260101"));
    }

    #[test]
    fn what_would_break_the_answer_is_refused() {
        for line in ["nonsense", r#"["2026-01-01","a"]"#, r#"{"date":"2026-01-01"} {}"#] {
            assert!(error(line).starts_with("line 1: not a JSON object"), "{line}");
        }
    }

    #[test]
    fn an_unreadable_line_is_named() {
        let ndjson: &[u8] = b"{\"date\":\"2026-01-01\"}\n\xff\n";
        let error = UsageBook::from_ndjson(ndjson).unwrap_err().to_string();
        assert!(error.starts_with("line 2: cannot read it"), "{error}");
    }

    #[test]
    fn a_refused_replacement_leaves_the_book_alone() {
        let book = UsageBook::new();
        book.replace_day(day("2026-01-01"), ["{}"]).unwrap();
        let error = book.replace_day(day("2026-01-01"), ["{}", "{"]).unwrap_err();
        assert!(error.to_string().starts_with("line 2: not a JSON object"), "{error}");
        assert_eq!(book.records(day("2026-01-01")), ["{}"]);
    }

    #[test]
    fn a_day_replaced_by_nothing_is_gone() {
        let book = UsageBook::new();
        book.replace_day(day("2026-01-01"), ["{}"]).unwrap();
        book.clone().replace_day(day("2026-01-01"), [""; 0]).unwrap();
        assert!(book.is_empty());
        assert_eq!(book.days(), []);
    }
}
