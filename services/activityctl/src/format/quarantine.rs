//! Rows in quarantine for programs.

use std::io::Write;

use proto::quarantine::v1::{QuarantineCount, QuarantinedRow};
use serde::Serialize;

use crate::{error::Error, format::value::rfc3339};

/// A row; what it does not have is null, or an empty field of CSV.
#[derive(Debug, Serialize)]
pub struct QuarantinedRowRecord<'a> {
    origin: &'a str,
    line: u64,
    stage: &'a str,
    business_date: Option<&'a str>,
    kind: &'a str,
    reason: &'a str,
    raw: &'a str,
    run_id: &'a str,
    quarantine_time: Option<String>,
    accept_time: Option<String>,
    accepted_by: Option<&'a str>,
    accepted_why: Option<&'a str>,
}

impl<'a> From<&'a QuarantinedRow> for QuarantinedRowRecord<'a> {
    fn from(row: &'a QuarantinedRow) -> Self {
        let acceptance = row.acceptance.as_ref();
        Self {
            origin: &row.origin,
            line: row.line,
            stage: &row.stage,
            business_date: non_empty(&row.business_date),
            kind: &row.kind,
            reason: &row.reason,
            raw: &row.raw,
            run_id: &row.run_id,
            quarantine_time: rfc3339(row.quarantine_time.as_ref()),
            accept_time: acceptance.and_then(|acceptance| rfc3339(acceptance.accept_time.as_ref())),
            accepted_by: acceptance.map(|acceptance| acceptance.accepted_by.as_str()),
            accepted_why: acceptance.map(|acceptance| acceptance.why.as_str()),
        }
    }
}

/// A group of rows.
#[derive(Debug, Serialize)]
pub struct QuarantineCountRecord<'a> {
    stage: &'a str,
    origin: Option<&'a str>,
    business_date: Option<&'a str>,
    kind: Option<&'a str>,
    rows: u64,
}

impl<'a> From<&'a QuarantineCount> for QuarantineCountRecord<'a> {
    fn from(group: &'a QuarantineCount) -> Self {
        Self {
            stage: &group.stage,
            origin: non_empty(&group.origin),
            business_date: non_empty(&group.business_date),
            kind: non_empty(&group.kind),
            rows: group.rows,
        }
    }
}

/// A row before a replay, and whether it is still there after it.
#[derive(Debug, Serialize)]
pub struct ReplayedRowRecord<'a> {
    left: bool,
    #[serde(flatten)]
    row: QuarantinedRowRecord<'a>,
}

impl<'a> ReplayedRowRecord<'a> {
    /// Combines the two.
    #[must_use]
    pub fn new(row: &'a QuarantinedRow, left: bool) -> Self {
        Self { left, row: row.into() }
    }
}

/// Writes records as CSV with a header.
///
/// # Errors
/// If they cannot be written.
pub fn write_csv(writer: impl Write, records: impl IntoIterator<Item = impl Serialize>) -> Result<(), Error> {
    let mut writer = ::csv::Writer::from_writer(writer);
    for record in records {
        writer.serialize(record)?;
    }
    Ok(writer.flush()?)
}

fn non_empty(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_text_in_every_format() {
        let row =
            QuarantinedRow { origin: "a.csv".into(), line: 3, raw: "x,\"y\nz".into(), ..Default::default() };
        let mut bytes = Vec::new();
        write_csv(&mut bytes, [QuarantinedRowRecord::from(&row)]).unwrap();
        let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
        assert_eq!(reader.headers().unwrap().iter().next(), Some("origin"));
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(
            (record.get(0), record.get(6), record.get(9)),
            (Some("a.csv"), Some("x,\"y\nz"), Some(""))
        );
        let json = serde_json::to_value(ReplayedRowRecord::new(&row, true)).unwrap();
        assert_eq!((&json["left"], &json["raw"]), (&true.into(), &"x,\"y\nz".into()));
        assert!(json["accepted_by"].is_null());
    }
}
