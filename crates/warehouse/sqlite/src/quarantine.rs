//! Reading the quarantine.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
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
