//! The checksums of published days. SQLite has no hash function, so rows are hashed
//! here, one by one as they are read.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, FactRow};
use futures::{Stream, TryStreamExt};
use sqlx::{SqliteConnection, SqlitePool};
use warehouse_core::engine::{FactRecord, version_to_publish};

use crate::{fault::Result, transaction::write};

/// Checksums of days, each by the formula that the ledger has for its day.
#[derive(Default)]
struct DayChecksums {
    /// Of the days that are published.
    versions: BTreeMap<NaiveDate, i32>,
    checksums: BTreeMap<NaiveDate, Checksum>,
}

impl DayChecksums {
    /// Adds rows to the checksums of their days, or removes them.
    ///
    /// # Errors
    /// If the checksum of a row's day is of an unknown version.
    async fn toggle(&mut self, mut rows: impl Stream<Item = sqlx::Result<FactRecord>> + Unpin) -> Result<()> {
        while let Some(record) = rows.try_next().await? {
            let row = FactRow::try_from(record)?;
            let day = row.key.activity_date;
            let checksum = match self.checksums.entry(day) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let version = version_to_publish(day, self.versions.get(&day).copied())?;
                    new.insert(Checksum::empty(version))
                }
            };
            checksum.toggle(&row);
        }
        Ok(())
    }
}

/// How publishing the candidates changes the checksum of each day. Call it before the
/// rows are written: it reads those that go.
///
/// # Errors
/// If a published day changes whose checksum is of an unknown version.
pub(crate) async fn changes_of_publish(
    connection: &mut SqliteConnection,
    now: DateTime<Utc>,
) -> Result<BTreeMap<NaiveDate, i64>> {
    let mut days = DayChecksums::default();
    for row in sqlx::query_file!("sql/fact/versions_of_days.sql").fetch_all(&mut *connection).await? {
        days.versions.insert(row.day, row.version);
    }
    let coming = sqlx::query_as!(FactRecord, "SELECT *, $1 AS \"loaded_at!: _\" FROM fact_rows_to_come", now);
    days.toggle(coming.fetch(&mut *connection)).await?;
    let going = sqlx::query_as!(FactRecord, "SELECT * FROM fact_rows_to_go");
    days.toggle(going.fetch(connection)).await?;
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
        days.toggle(rows.fetch(&mut *connection)).await?;
        let checksum = days.checksums.remove(&day).unwrap_or_default().to_stored();
        sqlx::query!("UPDATE published_days SET checksum = $1 WHERE activity_date = $2", checksum, day)
            .execute(connection)
            .await?;
        Ok(true)
    })
    .await
}
