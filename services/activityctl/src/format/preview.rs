//! What a backfill would change, as CSV and JSON.

use std::io::Write;

use presentation::preview::{ValueChange, kind, value_changes};
use proto::reconciliation::v1::{CompanyDayChange, PreviewCounts, PreviewMonth, PreviewSummary};
use serde::Serialize;

use crate::{error::Error, format::json::ActivityJson};

/// Writes the values as CSV with a header.
///
/// # Errors
/// If they cannot be written.
pub fn write_csv(writer: impl Write, sample: &[CompanyDayChange]) -> Result<(), Error> {
    let mut csv = ::csv::Writer::from_writer(writer);
    csv.write_record(["company_id", "activity_date", "change", "column", "old", "new"])?;
    for change in sample {
        for ValueChange { company_id, activity_date, column, old, new } in value_changes(change) {
            csv.write_record([&company_id, &activity_date, kind(change), column, &old, &new])?;
        }
    }
    Ok(csv.flush()?)
}

/// A company-day of the sample.
#[derive(Debug, Serialize)]
pub struct ChangeJson<'a> {
    change: &'static str,
    old: Option<ActivityJson<'a>>,
    new: Option<ActivityJson<'a>>,
}

impl<'a> From<&'a CompanyDayChange> for ChangeJson<'a> {
    fn from(change: &'a CompanyDayChange) -> Self {
        Self {
            change: kind(change),
            old: change.old_row.as_ref().map(Into::into),
            new: change.new_row.as_ref().map(Into::into),
        }
    }
}

/// The outcome, as the last line.
#[derive(Debug, Serialize)]
pub struct SummaryJson<'a> {
    total: CountsJson,
    months: Vec<MonthJson<'a>>,
    remarks: &'a [String],
}

#[derive(Debug, Serialize)]
struct MonthJson<'a> {
    month: &'a str,
    #[serde(flatten)]
    counts: CountsJson,
}

#[derive(Debug, Serialize)]
struct CountsJson {
    new_days: u32,
    changed_days: u32,
    unchanged_days: u32,
    new_rows: u64,
    changed_rows: u64,
    gone_rows: u64,
    unchanged_rows: u64,
}

impl<'a> From<&'a PreviewSummary> for SummaryJson<'a> {
    fn from(summary: &'a PreviewSummary) -> Self {
        let month = |month: &'a PreviewMonth| MonthJson {
            month: &month.month,
            counts: month.counts.unwrap_or_default().into(),
        };
        Self {
            total: summary.total.unwrap_or_default().into(),
            months: summary.months.iter().map(month).collect(),
            remarks: &summary.remarks,
        }
    }
}

impl From<PreviewCounts> for CountsJson {
    fn from(counts: PreviewCounts) -> Self {
        let PreviewCounts {
            new_days,
            changed_days,
            unchanged_days,
            new_rows,
            changed_rows,
            gone_rows,
            unchanged_rows,
        } = counts;
        Self { new_days, changed_days, unchanged_days, new_rows, changed_rows, gone_rows, unchanged_rows }
    }
}

#[cfg(test)]
mod tests {
    use proto::activity::v1::CompanyActivity;

    use super::*;

    fn row(name: Option<&str>, events: i64) -> CompanyActivity {
        CompanyActivity {
            company_id: "007".into(),
            activity_date: "2026-01-01".into(),
            company_name: name.map(Into::into),
            events,
            ..CompanyActivity::default()
        }
    }

    #[test]
    fn only_values_that_differ_are_reported() {
        let change = CompanyDayChange { old_row: Some(row(None, 3)), new_row: Some(row(Some("Acme"), 4)) };
        let mut csv = Vec::new();
        write_csv(&mut csv, &[change]).unwrap();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "company_id,activity_date,change,column,old,new\n\
             007,2026-01-01,changed,company_name,,Acme\n\
             007,2026-01-01,changed,events,3,4\n"
        );
    }
}
