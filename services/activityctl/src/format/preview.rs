//! What a backfill would change, value by value.

use std::io::Write;

use domain::fact::COLUMNS;
use proto::{
    activity::v1::CompanyActivity,
    reconciliation::v1::{CompanyDayChange, PreviewCounts, PreviewMonth, PreviewSummary},
};
use serde::Serialize;

use crate::{
    error::Error,
    format::{fact::columns, json::ActivityJson},
};

/// The leading columns of [`COLUMNS`] that identify a row.
const KEY_COLUMNS: usize = 2;

/// A value that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueChange {
    /// The company.
    pub company_id: String,
    /// The day.
    pub activity_date: String,
    /// The fact's column.
    pub column: &'static str,
    /// The published value; empty for NULL, and if the row is not published.
    pub old: String,
    /// The value that would be published; empty for NULL, and if the row would be gone.
    pub new: String,
}

/// The values of a company-day that would change, except its publication time.
#[must_use]
pub fn value_changes(change: &CompanyDayChange) -> Vec<ValueChange> {
    let Some(key) = change.old_row.as_ref().or(change.new_row.as_ref()) else { return Vec::new() };
    let values = |row: &Option<CompanyActivity>| {
        row.as_ref().map_or_else(
            || [const { String::new() }; COLUMNS.len()],
            |row| columns(row).map(|(_, value)| value.to_string()),
        )
    };
    let (old, new) = (values(&change.old_row), values(&change.new_row));
    COLUMNS
        .into_iter()
        .zip(old.into_iter().zip(new))
        .skip(KEY_COLUMNS)
        .filter(|(column, (old, new))| *column != "loaded_at" && old != new)
        .map(|(column, (old, new))| ValueChange {
            company_id: key.company_id.clone(),
            activity_date: key.activity_date.clone(),
            column,
            old,
            new,
        })
        .collect()
}

/// How a company-day would change, in a word.
#[must_use]
pub const fn kind(change: &CompanyDayChange) -> &'static str {
    match (&change.old_row, &change.new_row) {
        (None, _) => "new",
        (_, None) => "gone",
        _ => "changed",
    }
}

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

    #[test]
    fn a_row_that_comes_or_goes_has_one_side() {
        let new = CompanyDayChange { old_row: None, new_row: Some(row(None, 4)) };
        let reported: Vec<_> =
            value_changes(&new).into_iter().map(|value| (value.column, value.new)).collect();
        let zero = || "0".to_owned();
        assert_eq!(
            reported,
            [
                ("active_users", zero()),
                ("events", "4".to_owned()),
                ("7d_active_users", zero()),
                ("is_churn_risk", "false".to_owned()),
            ]
        );
        let gone = CompanyDayChange { old_row: Some(row(None, 4)), new_row: None };
        assert_eq!((kind(&new), kind(&gone)), ("new", "gone"));
        assert!(value_changes(&gone).iter().all(|value| value.new.is_empty()));
    }
}
