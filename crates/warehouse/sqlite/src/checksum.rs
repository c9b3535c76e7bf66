//! The checksums of published days. SQLite has no hash function, so rows are hashed
//! here, one by one as they are read.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, FactRow};
use futures::{Stream, TryStreamExt};
use sqlx::{SqliteConnection, SqlitePool};
use warehouse_core::engine::FactRecord;

use crate::{database::write, fault::Result};

/// How publishing the candidates changes the checksum of each day. Call it before the
/// rows are written: it reads those that go.
pub(crate) async fn changes_of_publish(
    connection: &mut SqliteConnection,
    now: DateTime<Utc>,
) -> Result<BTreeMap<NaiveDate, i64>> {
    let mut checksums = BTreeMap::new();
    let coming = sqlx::query_as!(FactRecord, "SELECT *, $1 AS \"loaded_at!: _\" FROM fact_rows_to_come", now);
    toggle(&mut checksums, coming.fetch(&mut *connection)).await?;
    let going = sqlx::query_as!(FactRecord, "SELECT * FROM fact_rows_to_go");
    toggle(&mut checksums, going.fetch(connection)).await?;
    Ok(checksums.into_iter().map(|(day, checksum)| (day, checksum.to_stored())).collect())
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
        let missing = sqlx::query_file_scalar!("sql/fact/day_without_checksum.sql");
        let Some(day) = missing.fetch_optional(&mut *connection).await? else { return Ok(false) };
        let mut checksums = BTreeMap::new();
        let rows = sqlx::query_as!(FactRecord, "SELECT * FROM fact_rows_by_day WHERE activity_date = $1", day);
        toggle(&mut checksums, rows.fetch(&mut *connection)).await?;
        let checksum = checksums.remove(&day).unwrap_or_default().to_stored();
        sqlx::query!("UPDATE published_days SET checksum = $1 WHERE activity_date = $2", checksum, day)
            .execute(connection)
            .await?;
        Ok(true)
    })
    .await
}

/// Toggles rows in the checksums of their days.
async fn toggle(
    checksums: &mut BTreeMap<NaiveDate, Checksum>,
    mut rows: impl Stream<Item = sqlx::Result<FactRecord>> + Unpin,
) -> Result<()> {
    while let Some(record) = rows.try_next().await? {
        let row = FactRow::try_from(record)?;
        checksums.entry(row.key.activity_date).or_default().toggle(&row);
    }
    Ok(())
}
