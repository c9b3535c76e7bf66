//! Writes and reads the quarantine.

use async_trait::async_trait;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{Error, QuarantineReader, QuarantinedRow, engine::counted};

use crate::{SqliteWarehouse, fault::Result, run_rows::parse_id};

#[async_trait]
impl QuarantineReader for SqliteWarehouse {
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>, Error> {
        let run_id = run_id.map(Uuid::hyphenated);
        self.once(async |connection| {
            let rows = sqlx::query_file!("../sql/quarantine/newest.sql", run_id, limit);
            let rows = rows.fetch_all(connection).await?.into_iter().map(|row| {
                Ok(QuarantinedRow {
                    run_id: parse_id(&row.run_id)?,
                    stage: row.stage,
                    origin: row.origin,
                    line: counted(row.line)?,
                    reason: row.reason,
                    raw: row.raw,
                    quarantined_at: row.quarantined_at,
                })
            });
            rows.collect()
        })
        .await
    }
}

/// Sets aside the quarantined rows of a file being loaded again, within the caller's
/// transaction.
pub(crate) async fn set_aside(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/set_aside.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine WHERE origin = $1", origin).execute(connection).await?;
    Ok(())
}

/// Restores the first run and time of set-aside rows that the file still has: loading it
/// again changes nothing.
pub(crate) async fn keep_first_met(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/keep_first_met.sql", origin).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM quarantine_before").execute(connection).await?;
    Ok(())
}
