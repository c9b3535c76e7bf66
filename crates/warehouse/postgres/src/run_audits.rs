//! What the audits of runs found.

use async_trait::async_trait;
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{Error, Fence, RunAuditReader, RunAudits, engine::corrupt};

use crate::{database::PostgresWarehouse, fault::Result, fence};

#[async_trait]
impl RunAuditReader for PostgresWarehouse {
    async fn run_audits(&self, run_id: Uuid) -> Result<Option<RunAudits>, Error> {
        self.once(async |connection| {
            let found = sqlx::query_file!("../sql/console/audits.sql", run_id);
            let Some(row) = found.fetch_optional(connection).await? else { return Ok(None) };
            Ok(Some(RunAudits {
                audited_at: row.audited_at,
                results: serde_json::from_str(&row.results).map_err(corrupt)?,
                days: serde_json::from_str(&row.days).map_err(corrupt)?,
            }))
        })
        .await
    }
}

/// Keeps what the audits of the fence's run found.
pub(crate) async fn record(connection: &mut PgConnection, fence: &Fence, audits: &RunAudits) -> Result<()> {
    fence::hold(connection, fence).await?;
    let results = serde_json::to_string(&audits.results).map_err(corrupt)?;
    let days = serde_json::to_string(&audits.days).map_err(corrupt)?;
    sqlx::query_file!("../sql/console/record_audits.sql", fence.run_id, audits.audited_at, results, days)
        .execute(connection)
        .await?;
    Ok(())
}
