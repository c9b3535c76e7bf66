//! Turns a day's records into rows for staging.

use std::sync::Arc;

use chrono::NaiveDate;
use domain::{DateWindow, Rejection, RejectionReason, SourceRow, UsageRecord};
use landing::NumberedLine;
use warehouse::SourceError;

use crate::{
    answer_options::Reading,
    error::Error,
    record::{ReadRecord, parse_record},
};

/// The longest record accepted, in bytes; a longer one is rejected.
pub(crate) const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// The longest excerpt of a record in an error, in bytes.
const EXCERPT_BYTES: usize = 200;

/// Reads the records of a day one by one, and finally checks whether any of
/// them has the promised form.
#[derive(Debug)]
pub(crate) struct DayReader {
    day: NaiveDate,
    reading: Arc<Reading>,
    rows: u64,
    /// Records in the promised form.
    plain: u64,
    /// The first record with exact values in another form.
    first_other: Option<String>,
}

impl DayReader {
    pub(crate) const fn new(day: NaiveDate, reading: Arc<Reading>) -> Self {
        Self { day, reading, rows: 0, plain: 0, first_other: None }
    }

    /// Records read, valid or not.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Converts a line of the landed file to a row.
    pub(crate) fn line(&mut self, line: NumberedLine) -> SourceRow<UsageRecord> {
        match line.into_text() {
            Ok(text) => self.record(&text),
            Err(rejection) => {
                self.rows += 1;
                SourceRow::Rejected(rejection)
            }
        }
    }

    /// Converts a record to a row.
    pub(crate) fn record(&mut self, text: &str) -> SourceRow<UsageRecord> {
        self.rows += 1;
        let line = self.rows;
        if text.len() > MAX_RECORD_BYTES {
            // Reading it back from the landing would reject it as well.
            let reason = RejectionReason::Malformed(format!("longer than {MAX_RECORD_BYTES} bytes"));
            return SourceRow::Rejected(Rejection::new(line, reason, ""));
        }
        match parse_record(text, &self.reading.names, DateWindow::day(self.day)) {
            Ok(ReadRecord { usage, is_plain }) => {
                if is_plain {
                    self.plain += 1;
                } else if self.first_other.is_none() {
                    let shown = text.get(..text.floor_char_boundary(EXCERPT_BYTES)).unwrap_or_default();
                    self.first_other = Some(shown.to_owned());
                }
                SourceRow::Accepted { line, row: usage }
            }
            Err(unreadable) => SourceRow::Rejected(unreadable.into_rejection(line, text)),
        }
    }

    /// Call after the last record.
    ///
    /// # Errors
    /// If some records could be read, but none has the promised form: if all
    /// are in another form, they may also mean something else.
    pub(crate) fn finish(self) -> Result<(), SourceError> {
        match self.first_other {
            Some(first) if self.plain == 0 && !self.reading.believes_other_forms => {
                let error = Error::OtherForms { day: self.day, records: self.rows, first };
                Err(SourceError { kind: error.kind(), message: error.to_string() })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;

    use super::*;
    use crate::field_names::FieldNames;

    const PLAIN: &str = r#"{"company_id":"a","date":"2026-01-05","active_users":5,"events":50}"#;
    const OTHER: &str = r#"{"company_id":"b","date":"2026-01-05","active_users":5.0,"events":50}"#;
    const TORN: &str = r#"{"company_id":"c","date":"2026-01-05","active_users":"5"#;

    fn finish(records: &[&str], believes_other_forms: bool) -> Result<(), String> {
        let reading = Reading { names: FieldNames::default(), believes_other_forms };
        let mut reader = DayReader::new(parse_day("2026-01-05").unwrap(), Arc::new(reading));
        for record in records {
            reader.record(record);
        }
        reader.finish().map_err(|error| error.message)
    }

    #[test]
    fn a_day_without_any_record_of_the_promised_form_is_refused_unless_it_is_configured() {
        for records in [&[OTHER, OTHER][..], &[OTHER, TORN]] {
            let refused = finish(records, false).unwrap_err();
            assert!(refused.starts_with("2026-01-05: each of its 2 records has its numbers"), "{refused}");
            assert!(refused.contains(OTHER) && refused.contains("--product-api-other-forms"), "{refused}");
            assert_eq!(finish(records, true), Ok(()));
        }
        for records in [&[PLAIN, OTHER][..], &[PLAIN], &[TORN], &[]] {
            assert_eq!(finish(records, false), Ok(()), "{records:?}");
        }
    }

    #[test]
    fn a_record_that_is_too_long_is_rejected_like_one_of_a_landed_file() {
        let reading = Reading { names: FieldNames::default(), believes_other_forms: false };
        let mut reader = DayReader::new(parse_day("2026-01-05").unwrap(), Arc::new(reading));
        let row = reader.record(&format!("{PLAIN}{}", " ".repeat(MAX_RECORD_BYTES)));
        assert_eq!(row.rejection().unwrap().reported(), "line 1: longer than 1048576 bytes");
    }
}
