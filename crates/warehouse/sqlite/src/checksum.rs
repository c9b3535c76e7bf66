//! The checksums of published days. SQLite has no hash function, so rows are hashed
//! here, as they are read.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, CompanyId, FactKey, FactRow};
use futures::TryStreamExt;
use sqlx::{SqliteConnection, SqlitePool};
use warehouse_core::engine::{FactRecord, corrupt, version_to_publish};

use crate::{fault::Result, transaction::write};

/// Checksums of days, each by the formula that the ledger has for its day.
#[derive(Default)]
struct DayChecksums {
    /// Of the days that are published.
    versions: BTreeMap<NaiveDate, i32>,
    checksums: BTreeMap<NaiveDate, Checksum>,
}

impl DayChecksums {
    /// Adds a row to the checksum of its day, or removes it.
    ///
    /// # Errors
    /// If the checksum of the day is of an unknown version.
    fn toggle(&mut self, row: &FactRow) -> Result<()> {
        let day = row.key.activity_date;
        let checksum = match self.checksums.entry(day) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let version = version_to_publish(day, self.versions.get(&day).copied())?;
                new.insert(Checksum::empty(version))
            }
        };
        checksum.toggle(row);
        Ok(())
    }
}

/// What checksums cover of a row, in the order of `rows_of_publish.sql`.
type CoveredRow = (
    String,
    NaiveDate,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<DateTime<Utc>>,
    i32,
    i64,
    i64,
    i64,
    Option<i32>,
);

/// The row, without what checksums leave out.
fn covered_row(columns: CoveredRow) -> Result<FactRow> {
    let (
        company_id,
        activity_date,
        company_name,
        country,
        industry_tag,
        last_contact_at,
        active_users,
        events,
        active_users_7d,
        is_churn_risk,
        days_since_last_contact,
    ) = columns;
    let company_id = CompanyId::from_stored(&company_id).map_err(corrupt)?;
    Ok(FactRow {
        company_name,
        country,
        industry_tag,
        last_contact_at,
        active_users,
        events,
        active_users_7d,
        is_churn_risk: is_churn_risk != 0,
        days_since_last_contact,
        ..FactRow::blank(FactKey { company_id, activity_date })
    })
}

/// How publishing the candidates changes the checksum of each day. Call it before the
/// rows are written: it reads those that go.
///
/// # Errors
/// If a published day changes whose checksum is of an unknown version.
pub(crate) async fn changes_of_publish(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<NaiveDate, i64>> {
    let mut days = DayChecksums::default();
    for row in sqlx::query_file!("sql/fact/versions_of_days.sql").fetch_all(&mut *connection).await? {
        days.versions.insert(row.day, row.version);
    }
    let mut companies = sqlx::query_file_scalar!("sql/fact/rows_of_publish.sql").fetch(connection);
    while let Some(rows) = companies.try_next().await? {
        let rows: Vec<CoveredRow> = serde_json::from_str(&rows).map_err(corrupt)?;
        rows.into_iter().try_for_each(|columns| days.toggle(&covered_row(columns)?))?;
    }
    drop(companies);
    Ok(days.checksums.into_iter().map(|(day, checksum)| (day, checksum.to_stored())).collect())
}

/// Computes missing checksums of days published before checksums existed, each in its
/// own transaction: an interrupted pass continues when the file is next opened.
pub(crate) async fn fill_missing(writer: &SqlitePool) -> Result<()> {
    while fill_one(writer).await? {}
    Ok(())
}

/// Fills in one day; returns whether there was one.
async fn fill_one(writer: &SqlitePool) -> Result<bool> {
    write(writer, async |connection| {
        let missing = sqlx::query_file!("sql/fact/day_without_checksum.sql");
        let Some(missing) = missing.fetch_optional(&mut *connection).await? else { return Ok(false) };
        let day = missing.day;
        let mut days = DayChecksums { versions: [(day, missing.version)].into(), ..DayChecksums::default() };
        let rows =
            sqlx::query_as!(FactRecord, "SELECT * FROM fact_rows_by_day WHERE activity_date = $1", day);
        let mut rows = rows.fetch(&mut *connection);
        while let Some(record) = rows.try_next().await? {
            days.toggle(&FactRow::try_from(record)?)?;
        }
        drop(rows);
        let checksum = days.checksums.remove(&day).unwrap_or_default().to_stored();
        sqlx::query!("UPDATE published_days SET checksum = $1 WHERE activity_date = $2", checksum, day)
            .execute(connection)
            .await?;
        Ok(true)
    })
    .await
}
