//! The quarantine.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{QuarantineReader, QuarantinedRow, Result};

use crate::{
    SqliteWarehouse,
    database::{counted, failed},
    rows::corrupt,
};

#[async_trait]
impl QuarantineReader for SqliteWarehouse {
    async fn quarantined_rows(&self, run_id: Option<Uuid>, limit: u32) -> Result<Vec<QuarantinedRow>> {
        let run_id = run_id.map(|run_id| run_id.to_string());
        let rows = sqlx::query!(
            r#"SELECT run_id, stage, origin, line, reason, raw, quarantined_at AS "quarantined_at: DateTime<Utc>"
               FROM quarantine WHERE ?1 IS NULL OR run_id = ?1
               ORDER BY quarantined_at DESC, origin, line LIMIT ?2"#,
            run_id,
            limit
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        rows.into_iter()
            .map(|row| {
                Ok(QuarantinedRow {
                    run_id: Uuid::parse_str(&row.run_id).map_err(corrupt)?,
                    stage: row.stage,
                    origin: row.origin,
                    line: counted(row.line),
                    reason: row.reason,
                    raw: row.raw,
                    quarantined_at: row.quarantined_at,
                })
            })
            .collect()
    }
}

/// Empties the quarantine of a file that is loaded again, within the caller's transaction.
pub(crate) async fn set_aside(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/set_aside.sql", origin)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query!("DELETE FROM quarantine WHERE origin = ?1", origin)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Lets the rows that were set aside, and that the file still has, be as they
/// were: loading it again changes nothing.
pub(crate) async fn keep_first_met(connection: &mut SqliteConnection, origin: &str) -> Result<()> {
    sqlx::query_file!("sql/quarantine/keep_first_met.sql", origin)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query!("DELETE FROM quarantine_before").execute(connection).await.map_err(failed)?;
    Ok(())
}
