//! Streams the events of an event file.

use bytes::Bytes;
use chrono::NaiveDate;
use domain::{Counters, EventRecord, FailureKind, SourceRow};
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use landing::{NumberedLine, NumberedLines};
use warehouse::{RowStream, SourceError};

use crate::event_record::parse_event;

/// The longest line, in bytes; a longer one is rejected.
const MAX_LINE_BYTES: usize = 1024 * 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The events of a file, read on demand; `latest` is the last day they may
/// have. Empty lines are skipped. `report` is called now and then with the
/// progress so far.
///
/// A file that must be refused ends in an error of kind [`FailureKind::InvalidInput`].
pub(crate) fn event_rows<'a>(
    chunks: BoxStream<'a, Result<Bytes, landing::Error>>,
    latest: NaiveDate,
    report: impl Fn(Counters) + Send + 'a,
) -> RowStream<'a, EventRecord> {
    let reading = Reading {
        lines: NumberedLines::new(chunks, MAX_LINE_BYTES),
        latest,
        report,
        read: Counters::default(),
        first_rejection: None,
    };
    stream::try_unfold(reading, |mut reading| async move {
        Ok::<_, SourceError>(reading.next().await?.map(|row| (row, reading)))
    })
    .boxed()
}

struct Reading<'a, R> {
    lines: NumberedLines<BoxStream<'a, Result<Bytes, landing::Error>>>,
    latest: NaiveDate,
    report: R,
    read: Counters,
    /// For people, if the file has nothing else.
    first_rejection: Option<String>,
}

impl<R: Fn(Counters)> Reading<'_, R> {
    /// The next row; `None` after the last.
    async fn next(&mut self) -> Result<Option<SourceRow<EventRecord>>, SourceError> {
        loop {
            let line = self
                .lines
                .try_next()
                .await
                .map_err(|error| SourceError { kind: error.kind(), message: error.to_string() })?;
            if self.read.bytes_read != self.lines.bytes_taken() {
                self.read.bytes_read = self.lines.bytes_taken();
                (self.report)(self.read);
            }
            match line {
                None => return self.end().map(|()| None),
                Some(line) if is_blank(&line) => {}
                Some(line) => return Ok(Some(self.row(line))),
            }
        }
    }

    fn row(&mut self, line: NumberedLine) -> SourceRow<EventRecord> {
        let row = line.into_row(|text| parse_event(text.trim_start_matches(BYTE_ORDER_MARK), self.latest));
        self.read.rows_read += 1;
        if let Some(rejection) = row.rejection() {
            self.read.rows_rejected += 1;
            self.first_rejection
                .get_or_insert_with(|| format!("line {}: {}", rejection.line, rejection.reason));
        }
        row
    }

    /// Refuses a file that does not contain events.
    fn end(&self) -> Result<(), SourceError> {
        let Counters { rows_read, rows_rejected, .. } = self.read;
        match &self.first_rejection {
            Some(first) if rows_rejected == rows_read => Err(SourceError {
                kind: FailureKind::InvalidInput,
                message: format!("none of its {rows_read} records is an event; {first}"),
            }),
            _ => Ok(()),
        }
    }
}

fn is_blank(line: &NumberedLine) -> bool {
    line.text.as_ref().is_ok_and(|text| text.trim_start_matches(BYTE_ORDER_MARK).trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::date_window::parse_day;

    use super::*;

    const GOOD: &str = r#"{"company_id":"acme","date":"2026-01-05","event_id":"e","events":1}"#;

    type Read = (Result<Vec<SourceRow<EventRecord>>, SourceError>, Vec<Counters>);

    fn read(chunks: Vec<Result<Bytes, landing::Error>>) -> Read {
        let reports = Mutex::new(Vec::new());
        let latest = parse_day("2027-01-01").unwrap();
        let rows =
            event_rows(stream::iter(chunks).boxed(), latest, |read| reports.lock().unwrap().push(read));
        let rows = futures::executor::block_on(rows.try_collect());
        (rows, reports.into_inner().unwrap())
    }

    fn chunk(text: impl Into<String>) -> Result<Bytes, landing::Error> {
        Ok(Bytes::from(text.into()))
    }

    fn line_of(row: &SourceRow<EventRecord>) -> (u64, bool) {
        match row {
            SourceRow::Accepted { line, .. } => (*line, true),
            SourceRow::Partial { rejection, .. } | SourceRow::Rejected(rejection) => (rejection.line, false),
        }
    }

    #[test]
    fn good_and_bad_records_come_in_the_order_of_the_file() {
        let (rows, reports) =
            read(vec![chunk(format!("\u{feff}{GOOD}\r\n\n {{}} \n{}", &GOOD[..20])), chunk(&GOOD[20..])]);
        let rows = rows.unwrap();
        assert_eq!(rows.iter().map(line_of).collect::<Vec<_>>(), [(1, true), (3, false), (4, true)]);
        assert_eq!(reports.iter().map(|read| read.rows_read).collect::<Vec<_>>(), [0, 2]);
        let bytes = (GOOD.len() * 2 + 3 + 2 + 1 + 5) as u64;
        assert_eq!(reports.last().map(|read| (read.bytes_read, read.rows_rejected)), Some((bytes, 1)));
    }

    #[test]
    fn a_file_of_anything_else_is_refused_and_an_empty_one_is_not() {
        let refused = read(vec![chunk("[\n{\"company_id\":\"acme\"},\n]\n")]).0.unwrap_err();
        assert_eq!(refused.kind, FailureKind::InvalidInput);
        assert_eq!(refused.message, "none of its 3 records is an event; line 1: [ is no record");
        for empty in ["", "\n \r\n", "\u{feff}\n"] {
            assert_eq!(read(vec![chunk(empty)]).0.unwrap(), []);
        }
    }

    #[test]
    fn trouble_of_the_storage_keeps_its_kind() {
        let changed = landing::Error::Changed { root: "file:///events/".into(), path: "a.ndjson".into() };
        let error = read(vec![chunk(format!("{GOOD}\n")), Err(changed)]).0.unwrap_err();
        assert_eq!(error.kind, FailureKind::Conflict);
        assert!(error.message.contains("a.ndjson"), "{}", error.message);
    }
}
