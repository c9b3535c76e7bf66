//! Differences between published numbers and the product API, for programs.

use std::io::Write;

use contract::message::difference_kind_from_proto;
use domain::DifferenceKind;
use proto::reconciliation::v1::{
    DifferenceCount, LandedRecord, Mismatch, ReconciliationSummary, UsageNumbers,
};
use serde::Serialize;

use crate::{
    error::Error,
    format::{json, value::rfc3339},
};

/// The word for a kind, by its number in the contract.
#[must_use]
pub fn kind(number: i32) -> &'static str {
    // A newer server may know more kinds.
    difference_kind_from_proto(number).map_or("unknown", DifferenceKind::as_str)
}

/// Whether differences were found, or remain although their days ran again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// Found by the first comparison.
    Found,
    /// Found again after healing.
    Remains,
}

impl Pass {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Remains => "remains",
        }
    }
}

const CSV_COLUMNS: [&str; 16] = [
    "pass",
    "company_id",
    "activity_date",
    "kind",
    "published_active_users",
    "published_events",
    "source_active_users",
    "source_events",
    "staged_active_users",
    "staged_events",
    "landed_file",
    "line",
    "page",
    "fetched_at",
    "fetched_by",
    "explanation",
];

/// Writes the header of the CSV.
///
/// # Errors
/// If it cannot be written.
pub fn write_csv_header(writer: impl Write) -> Result<(), Error> {
    let mut csv = ::csv::Writer::from_writer(writer);
    csv.write_record(CSV_COLUMNS)?;
    Ok(csv.flush()?)
}

/// Writes a difference as a row of CSV; an empty field is NULL.
///
/// # Errors
/// If it cannot be written.
pub fn write_csv(writer: impl Write, pass: Pass, mismatch: &Mismatch) -> Result<(), Error> {
    let number = |number: u64| if number > 0 { number.to_string() } else { String::new() };
    let users =
        |numbers: Option<UsageNumbers>| numbers.map(|it| it.active_users.to_string()).unwrap_or_default();
    let events = |numbers: Option<UsageNumbers>| numbers.map(|it| it.events.to_string()).unwrap_or_default();
    let landed = mismatch.landed.clone().unwrap_or_default();
    let Mismatch { published, source, staged, .. } = *mismatch;
    let mut csv = ::csv::Writer::from_writer(writer);
    csv.write_record([
        pass.as_str(),
        &mismatch.company_id,
        &mismatch.activity_date,
        kind(mismatch.kind),
        &users(published),
        &events(published),
        &users(source),
        &events(source),
        &users(staged),
        &events(staged),
        &landed.path,
        &number(landed.line),
        &number(landed.page),
        &rfc3339(landed.fetch_time.as_ref()).unwrap_or_default(),
        &landed.run_id,
        &mismatch.explanation,
    ])?;
    Ok(csv.flush()?)
}

#[derive(Debug, Serialize)]
struct MismatchJson<'a> {
    pass: Pass,
    company_id: &'a str,
    activity_date: &'a str,
    kind: &'static str,
    published: Option<NumbersJson>,
    source: Option<NumbersJson>,
    staged: Option<NumbersJson>,
    landed: Option<LandedJson<'a>>,
    explanation: &'a str,
}

#[derive(Debug, Serialize)]
struct NumbersJson {
    active_users: i32,
    events: i64,
}

impl From<UsageNumbers> for NumbersJson {
    fn from(UsageNumbers { active_users, events }: UsageNumbers) -> Self {
        Self { active_users, events }
    }
}

/// Where a record stood; what is unknown is null.
#[derive(Debug, Serialize)]
struct LandedJson<'a> {
    file: Option<&'a str>,
    line: Option<u64>,
    page: Option<u64>,
    fetched_at: Option<String>,
    fetched_by: &'a str,
}

impl<'a> From<&'a LandedRecord> for LandedJson<'a> {
    fn from(landed: &'a LandedRecord) -> Self {
        let LandedRecord { path, line, page, fetch_time, run_id } = landed;
        Self {
            file: Some(path.as_str()).filter(|path| !path.is_empty()),
            line: Some(*line).filter(|line| *line > 0),
            page: Some(*page).filter(|page| *page > 0),
            fetched_at: rfc3339(fetch_time.as_ref()),
            fetched_by: run_id,
        }
    }
}

/// Writes a difference as a line of JSON.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(writer: impl Write, pass: Pass, mismatch: &Mismatch) -> Result<(), Error> {
    let line = MismatchJson {
        pass,
        company_id: &mismatch.company_id,
        activity_date: &mismatch.activity_date,
        kind: kind(mismatch.kind),
        published: mismatch.published.map(Into::into),
        source: mismatch.source.map(Into::into),
        staged: mismatch.staged.map(Into::into),
        landed: mismatch.landed.as_ref().map(Into::into),
        explanation: &mismatch.explanation,
    };
    json::write_line(writer, &line)
}

#[derive(Debug, Serialize)]
struct SummaryJson {
    pass: Pass,
    compared: u64,
    matched: u64,
    mismatches: u64,
    by_kind: std::collections::BTreeMap<&'static str, u64>,
    unreadable_records: u64,
    /// Of the mismatches, those that a run under way may be about to publish.
    awaiting_run: u64,
}

/// Writes the totals as the last line of JSON.
///
/// # Errors
/// If they cannot be written.
pub fn write_json_summary(
    writer: impl Write,
    pass: Pass,
    summary: &ReconciliationSummary,
) -> Result<(), Error> {
    let count = |DifferenceCount { kind: number, count }: &DifferenceCount| (kind(*number), *count);
    let line = SummaryJson {
        pass,
        compared: summary.compared,
        matched: summary.compared.saturating_sub(summary.mismatches),
        mismatches: summary.mismatches,
        by_kind: summary.by_kind.iter().map(count).collect(),
        unreadable_records: summary.invalid_records,
        awaiting_run: summary.awaiting_run,
    };
    json::write_line(writer, &line)
}

#[cfg(test)]
mod tests {
    use proto::reconciliation::v1::DifferenceKind as Kind;

    use super::*;

    fn mismatch() -> Mismatch {
        Mismatch {
            company_id: "acme".to_owned(),
            activity_date: "2026-02-12".to_owned(),
            published: Some(UsageNumbers { active_users: 1, events: 2 }),
            source: None,
            kind: Kind::ExtraHere.into(),
            explanation: "gone, \"really\"".to_owned(),
            staged: Some(UsageNumbers { active_users: 1, events: 2 }),
            landed: Some(LandedRecord {
                path: "product_usage/f.json".to_owned(),
                line: 17,
                page: 0,
                fetch_time: Some(prost_types::Timestamp { seconds: 1_770_875_999, nanos: 0 }),
                run_id: "r1".to_owned(),
            }),
            needs_rebuild: false,
            awaits_publish: false,
        }
    }

    #[test]
    fn what_is_unknown_is_empty_in_csv_and_null_in_json() {
        let (mut csv, mut json) = (Vec::new(), Vec::new());
        write_csv_header(&mut csv).unwrap();
        write_csv(&mut csv, Pass::Found, &mismatch()).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert_eq!(
            csv.lines().nth(1).unwrap(),
            "found,acme,2026-02-12,extra_here,1,2,,,1,2,product_usage/f.json,17,,2026-02-12T05:59:59Z,r1,\
             \"gone, \"\"really\"\"\""
        );
        write_json(&mut json, Pass::Remains, &mismatch()).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!((json["pass"].as_str(), json["kind"].as_str()), (Some("remains"), Some("extra_here")));
        assert!(json["source"].is_null() && json["landed"]["page"].is_null());
        assert_eq!(
            (json["published"]["events"].as_i64(), json["landed"]["line"].as_i64()),
            (Some(2), Some(17))
        );
    }

    #[test]
    fn the_totals_say_how_many_match() {
        let by_kind = vec![DifferenceCount { kind: Kind::ExtraHere.into(), count: 3 }];
        let summary = ReconciliationSummary {
            compared: 10,
            mismatches: 3,
            invalid_records: 1,
            by_kind,
            awaiting_run: 0,
        };
        let mut json = Vec::new();
        write_json_summary(&mut json, Pass::Found, &summary).unwrap();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            "{\"pass\":\"found\",\"compared\":10,\"matched\":7,\"mismatches\":3,\"by_kind\":{\"extra_here\":3},\
             \"unreadable_records\":1,\"awaiting_run\":0}\n"
        );
    }
}
