//! The checksums of published days. SQLite has no hash function, so rows are hashed
//! here, as they are read.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, CompanyId, DayTotals, FactKey, FactRow};
use futures::TryStreamExt;
use serde_json::value::RawValue;
use sqlx::{SqliteConnection, SqlitePool};
use warehouse_core::engine::{FactRecord, corrupt, version_to_publish};

use crate::{fault::Result, transaction::write};

/// How publishing the candidates changes a day.
pub(crate) struct DayChange {
    /// How many rows it gains; negative if it loses some.
    pub(crate) rows: i64,
    /// By what its checksum changes.
    pub(crate) checksum: Checksum,
    /// By what its totals change; `None` if a number does not fit.
    pub(crate) totals: Option<DayTotals>,
}

impl DayChange {
    /// No change, beside that of a checksum.
    pub(crate) fn none(checksum: Checksum) -> Self {
        Self { rows: 0, checksum, totals: Some(DayTotals::default()) }
    }
}

/// Changes of days, their checksums each by the formula that the ledger has for its day.
#[derive(Default)]
struct DayChanges {
    /// Of the days that are published.
    versions: BTreeMap<NaiveDate, i32>,
    days: BTreeMap<NaiveDate, DayChange>,
}

impl DayChanges {
    /// Adds a row to its day if `gain` is 1, or removes it if that is -1.
    ///
    /// # Errors
    /// If the checksum of the day is of an unknown version.
    fn toggle(&mut self, row: &FactRow, gain: i64) -> Result<()> {
        let day = row.key.activity_date;
        let change = match self.days.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let version = version_to_publish(day, self.versions.get(&day).copied())?;
                new.insert(DayChange::none(Checksum::empty(version)))
            }
        };
        change.rows += gain;
        change.checksum.toggle(row);
        let of_row = DayTotals::of_row(row);
        change.totals = change.totals.and_then(|totals| {
            if gain > 0 { totals.checked_add(of_row) } else { totals.checked_sub(of_row) }
        });
        Ok(())
    }

    /// Adds or removes the rows of a company, which are as `rows_of_publish.sql` has them.
    fn toggle_company(&mut self, company_id: &str, rows: &str, gain: i64) -> Result<()> {
        let company_id = CompanyId::from_stored(company_id).map_err(corrupt)?;
        // One row for all of them, because most of it stays the same from day to day.
        let mut row = FactRow::blank(FactKey { company_id, activity_date: NaiveDate::default() });
        let mut attributes_before = None;
        for columns in serde_json::from_str::<Vec<CoveredColumns<'_>>>(rows).map_err(corrupt)? {
            let (day, active_users, events, active_users_7d, is_churn_risk, since_contact, attributes) =
                columns;
            if attributes_before != Some(attributes.get()) {
                set_attributes(&mut row, attributes)?;
                attributes_before = Some(attributes.get());
            }
            row.key.activity_date = day;
            (row.active_users, row.events, row.active_users_7d) = (active_users, events, active_users_7d);
            (row.is_churn_risk, row.days_since_last_contact) = (is_churn_risk != 0, since_contact);
            self.toggle(&row, gain)?;
        }
        Ok(())
    }
}

/// What checksums cover of a row besides its company, in the order of
/// `rows_of_publish.sql`.
type CoveredColumns<'a> = (NaiveDate, i32, i64, i64, i64, Option<i32>, &'a RawValue);

/// Sets what the CRM says of a row's company.
fn set_attributes(row: &mut FactRow, attributes: &RawValue) -> Result<()> {
    type Attributes = (Option<String>, Option<String>, Option<String>, Option<DateTime<Utc>>);
    let attributes: Attributes = serde_json::from_str(attributes.get()).map_err(corrupt)?;
    (row.company_name, row.country, row.industry_tag, row.last_contact_at) = attributes;
    Ok(())
}

/// How publishing the candidates changes each day that changes. Call it before the rows are
/// written: it reads those that go.
///
/// # Errors
/// If a published day changes whose checksum is of an unknown version.
pub(crate) async fn changes_of_publish(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<NaiveDate, DayChange>> {
    let mut changes = DayChanges::default();
    for row in sqlx::query_file!("sql/fact/versions_of_days.sql").fetch_all(&mut *connection).await? {
        changes.versions.insert(row.day, row.version);
    }
    let mut companies = sqlx::query_file!("sql/fact/rows_of_publish.sql").fetch(connection);
    while let Some(company) = companies.try_next().await? {
        changes.toggle_company(&company.company_id, &company.rows, company.gain)?;
    }
    drop(companies);
    Ok(changes.days)
}

/// Computes missing checksums of days published before checksums existed, each in its
/// own transaction: an interrupted pass continues when the file is next opened.
pub(crate) async fn fill_missing(writer: &SqlitePool) -> Result<()> {
    while fill_one(writer).await? {}
    Ok(())
}

/// What a day holds, read row by row; its checksum by the formula of that version.
pub(crate) async fn of_day(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    version: i32,
) -> Result<DayChange> {
    let mut changes = DayChanges { versions: [(day, version)].into(), ..DayChanges::default() };
    let rows = sqlx::query_as!(FactRecord, "SELECT * FROM fact_rows_by_day WHERE activity_date = $1", day);
    let mut rows = rows.fetch(connection);
    while let Some(record) = rows.try_next().await? {
        changes.toggle(&FactRow::try_from(record)?, 1)?;
    }
    drop(rows);
    Ok(changes.days.remove(&day).unwrap_or_else(|| DayChange::none(Checksum::default())))
}

/// Fills in one day; returns whether there was one.
async fn fill_one(writer: &SqlitePool) -> Result<bool> {
    write(writer, async |connection| {
        let missing = sqlx::query_file!("sql/fact/day_without_checksum.sql");
        let Some(missing) = missing.fetch_optional(&mut *connection).await? else { return Ok(false) };
        let day = missing.day;
        let checksum = of_day(&mut *connection, day, missing.version).await?.checksum.to_stored();
        for statement in [
            "UPDATE published_days SET checksum = $1 WHERE activity_date = $2",
            "UPDATE day_publications SET checksum = $1 WHERE activity_date = $2 AND row_count IS NOT NULL AND checksum IS NULL",
        ] {
            sqlx::query(statement).bind(checksum).bind(day).execute(&mut *connection).await?;
        }
        Ok(true)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A company's rows on two days, as `rows_of_publish.sql` has them, and as rows.
    #[test]
    fn rows_of_one_company_count_as_each_alone() {
        let contact: DateTime<Utc> = "2025-12-31T23:59:00.5Z".parse().unwrap();
        let handed_over = r#"[
            ["2026-02-01",2,7,9,0,-3,["Zo\u00eb \"Q\"\n","SG",null,"2025-12-31T23:59:00.5+00:00"]],
            ["2026-02-02",2,7,9,0,-3,["Zo\u00eb \"Q\"\n","SG",null,"2025-12-31T23:59:00.5+00:00"]],
            ["2026-02-03",0,0,0,1,null,[null,null,"",null]],
            ["2026-02-03",0,0,0,1,null,[null,null,"",null]]
        ]"#;
        let row = |day: &str| {
            let company_id = CompanyId::parse("acme").unwrap();
            FactRow::blank(FactKey { company_id, activity_date: day.parse().unwrap() })
        };
        let named = |day| FactRow {
            company_name: Some("Zoë \"Q\"\n".to_owned()),
            country: Some("SG".to_owned()),
            last_contact_at: Some(contact),
            active_users: 2,
            events: 7,
            active_users_7d: 9,
            is_churn_risk: false,
            days_since_last_contact: Some(-3),
            ..row(day)
        };
        let mut changes = DayChanges::default();
        changes.toggle_company("acme", handed_over, 1).unwrap();
        let found = changes.days.iter().map(|(day, change)| (day.to_string(), change.rows, change.checksum));
        let expected = [
            ("2026-02-01", 1, Checksum::from_iter([&named("2026-02-01")])),
            ("2026-02-02", 1, Checksum::from_iter([&named("2026-02-02")])),
            ("2026-02-03", 2, Checksum::default()),
        ];
        assert!(found.eq(expected.map(|(day, rows, checksum)| (day.to_owned(), rows, checksum))));

        let last = FactRow { industry_tag: Some(String::new()), ..row("2026-02-03") };
        changes.toggle(&last, -1).unwrap();
        let change = &changes.days[&last.key.activity_date];
        assert_eq!((change.rows, change.checksum), (1, Checksum::from_iter([&last])));
    }
}
