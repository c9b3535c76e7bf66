//! The checksums of published days. SQLite has no hash function, so rows are hashed
//! here, one by one as they are read.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, FactRow};
use futures::{Stream, TryStreamExt};
use sqlx::{SqliteConnection, SqlitePool};
use warehouse_core::engine::FactRecord;

use crate::{fault::Result, transaction::write};

/// How publishing the candidates changes the checksum of each day. Call it before the
/// rows are written: it reads those that go.
pub(crate) async fn changes_of_publish(
    connection: &mut SqliteConnection,
    now: DateTime<Utc>,
) -> Result<BTreeMap<NaiveDate, i64>> {
    let rows = sqlx::query_file_as!(FactRecord, "sql/fact/checksum_changes.sql", now).fetch(connection);
    let checksums = by_day(rows).await?;
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
        let rows = sqlx::query_file_as!(FactRecord, "sql/fact/rows_of_ledger_day.sql", day);
        let checksum = by_day(rows.fetch(&mut *connection)).await?.remove(&day).unwrap_or_default();
        let checksum = checksum.to_stored();
        sqlx::query!("UPDATE published_days SET checksum = $1 WHERE activity_date = $2", checksum, day)
            .execute(connection)
            .await?;
        Ok(true)
    })
    .await
}

async fn by_day(
    mut rows: impl Stream<Item = sqlx::Result<FactRecord>> + Unpin,
) -> Result<BTreeMap<NaiveDate, Checksum>> {
    let mut checksums = BTreeMap::<_, Checksum>::new();
    while let Some(record) = rows.try_next().await? {
        let row = FactRow::try_from(record)?;
        checksums.entry(row.key.activity_date).or_default().toggle(&row);
    }
    Ok(checksums)
}
