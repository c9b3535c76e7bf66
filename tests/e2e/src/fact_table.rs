//! `fact_company_activity` as printed by the command line, and the differences between two of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};

/// The column with a row's publication time: the only one that may differ.
pub const LOADED_AT: &str = "loaded_at";

/// Columns compared as numbers. One that is missing here is compared as text, which is stricter.
const NUMBERS: [&str; 5] =
    ["active_users", "events", "7d_active_users", "events_per_user", "days_since_last_contact"];

/// Company and day.
type Key = (String, String);

/// The fact by company and day.
#[derive(Debug, Clone)]
pub struct FactTable {
    rows: BTreeMap<Key, BTreeMap<String, Cell>>,
}

#[derive(Debug, Clone)]
enum Cell {
    Null,
    Number(f64),
    Time(DateTime<Utc>),
    Text(String),
}

/// The maximum relative difference of ratios: the worked cases give them to eight decimals.
const TOLERANCE: f64 = 1e-8;

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Number(one), Self::Number(other)) => {
                (one - other).abs() <= TOLERANCE * other.abs().max(1.0)
            }
            (Self::Time(one), Self::Time(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            _ => false,
        }
    }
}

impl FactTable {
    /// Parses CSV with a header.
    ///
    /// # Errors
    /// If it is not CSV, or a company and day occur twice.
    pub fn parse(csv: &str) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers()?.clone();
        let mut table = Self { rows: BTreeMap::new() };
        for record in reader.records() {
            let record = record?;
            let cells = header.iter().zip(&record);
            let row = cells.map(|(column, text)| Ok((column.to_owned(), Cell::parse(column, text)?)));
            table.insert(row.collect::<Result<_>>()?)?;
        }
        Ok(table)
    }

    /// Parses one JSON object per line: the columns, and maybe the publication of the row's day.
    ///
    /// # Errors
    /// If a line is not one or names another day's publication, or a company and day occur twice.
    pub fn parse_json(lines: &str) -> Result<Self> {
        let mut table = Self { rows: BTreeMap::new() };
        for line in lines.lines() {
            let mut columns: BTreeMap<String, serde_json::Value> = serde_json::from_str(line)?;
            if let Some(publication) = columns.remove("publication") {
                ensure!(publication["activity_date"] == columns["activity_date"], "{line}");
            }
            let row = columns.iter().map(|(column, value)| {
                let text = match value {
                    serde_json::Value::Null => String::new(),
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Ok((column.clone(), Cell::parse(column, &text)?))
            });
            table.insert(row.collect::<Result<_>>()?)?;
        }
        Ok(table)
    }

    fn insert(&mut self, row: BTreeMap<String, Cell>) -> Result<()> {
        let text = |column| match row.get(column) {
            Some(Cell::Text(text)) => Ok(text.clone()),
            other => Err(anyhow::anyhow!("{column} is {other:?}")),
        };
        let key = (text("company_id")?, text("activity_date")?);
        ensure!(self.rows.insert(key.clone(), row).is_none(), "{key:?} occurs twice");
        Ok(())
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Checks that both tables hold the same rows with the same values, except for [`LOADED_AT`].
    ///
    /// # Errors
    /// Every missing, surplus and differing row.
    pub fn must_equal(&self, expected: &Self) -> Result<()> {
        let keys: BTreeSet<&Key> = self.rows.keys().chain(expected.rows.keys()).collect();
        let differences: Vec<String> = keys
            .into_iter()
            .filter_map(|key| difference(key, self.rows.get(key), expected.rows.get(key)))
            .collect();
        ensure!(
            differences.is_empty(),
            "{} of {} rows differ:\n{}",
            differences.len(),
            expected.len(),
            differences.join("\n")
        );
        Ok(())
    }
}

fn difference(
    (company, day): &Key,
    actual: Option<&BTreeMap<String, Cell>>,
    expected: Option<&BTreeMap<String, Cell>>,
) -> Option<String> {
    let (actual, expected) = match (actual, expected) {
        (Some(actual), Some(expected)) => (actual, expected),
        (Some(_), None) => return Some(format!("{company} {day}: should not be there")),
        (None, _) => return Some(format!("{company} {day}: is missing")),
    };
    let columns: BTreeSet<&String> = actual.keys().chain(expected.keys()).collect();
    let cells: Vec<String> = columns
        .into_iter()
        .filter(|column| *column != LOADED_AT && actual.get(*column) != expected.get(*column))
        .map(|column| format!("{column} is {:?}, not {:?}", actual.get(column), expected.get(column)))
        .collect();
    if cells.is_empty() { None } else { Some(format!("{company} {day}: {}", cells.join(", "))) }
}

impl Cell {
    fn parse(column: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::Null);
        }
        let context = || format!("{column} is {text:?}");
        if NUMBERS.contains(&column) {
            return Ok(Self::Number(text.parse().with_context(context)?));
        }
        if column.ends_with("_at") {
            return Ok(Self::Time(DateTime::parse_from_rfc3339(text).with_context(context)?.to_utc()));
        }
        Ok(Self::Text(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "company_id,activity_date,events,last_contact_at,loaded_at";

    fn table(rows: &str) -> FactTable {
        FactTable::parse(&format!("{HEADER}\n{rows}")).unwrap()
    }

    #[test]
    fn equal_values_in_another_notation_are_equal() {
        let expected = table("007,2026-01-01,10,2026-01-01T00:00:00Z,\n");
        let actual = table("007,2026-01-01,10.0,2025-12-31T19:00:00.000-05:00,2026-02-02T00:00:00Z\n");
        actual.must_equal(&expected).unwrap();
    }

    #[test]
    fn every_difference_is_reported() {
        let expected = table("a,2026-01-01,1,,\nb,2026-01-01,1,,\n");
        let actual = table("a,2026-01-01,2,,\nc,2026-01-01,1,,\n");
        let reported = actual.must_equal(&expected).unwrap_err().to_string();
        for difference in ["a 2026-01-01: events is", "b 2026-01-01: is missing", "c 2026-01-01: should not"]
        {
            assert!(reported.contains(difference), "{reported}");
        }
    }

    #[test]
    fn a_ratio_may_be_rounded_but_a_count_must_be_exact() {
        let ratio = |text| Cell::parse("events_per_user", text).unwrap();
        assert_eq!(ratio("3.3333333333333335"), ratio("3.33333333"));
        assert_ne!(ratio("3.333333"), ratio("3.33333333"));
        assert_ne!(table("a,2026-01-01,9999998,,\n").rows, table("a,2026-01-01,9999999,,\n").rows);
    }

    #[test]
    fn ids_are_texts() {
        assert!(table("7,2026-01-01,1,,\n").must_equal(&table("07,2026-01-01,1,,\n")).is_err());
    }
}
