//! What a backfill would change, value by value.

use domain::fact::COLUMNS;
use proto::{activity::v1::CompanyActivity, reconciliation::v1::CompanyDayChange};

use crate::fact::columns;

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
