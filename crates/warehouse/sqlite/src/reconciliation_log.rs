//! Which comparisons with the product API there were.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::DateWindow;
use sqlx::SqliteConnection;
use warehouse_core::{
    Error, Reconciliation, ReconciliationId, ReconciliationLog,
    engine::{corrupt, counted, stored},
};

use crate::{database::SqliteWarehouse, fault::Result};

#[async_trait]
impl ReconciliationLog for SqliteWarehouse {
    async fn record_reconciliation(&self, ended: &Reconciliation) -> Result<ReconciliationId, Error> {
        let by_kind = serde_json::to_string(&ended.by_kind).map_err(corrupt)?;
        self.write(async |connection| {
            let recorded = sqlx::query_file_scalar!(
                "../sql/console/record_reconciliation.sql",
                ended.window.start(),
                ended.window.end(),
                i64::from(ended.companies),
                i64::from(ended.sample_size),
                ended.requested_by,
                ended.started_at,
                ended.ended_at,
                stored(ended.compared),
                stored(ended.mismatches),
                stored(ended.invalid_records),
                stored(ended.awaiting_run),
                by_kind
            );
            Ok(ReconciliationId(recorded.fetch_one(connection).await?))
        })
        .await
    }

    async fn reconciliations(
        &self,
        before: Option<ReconciliationId>,
        limit: u32,
    ) -> Result<Vec<(ReconciliationId, Reconciliation)>, Error> {
        let before = before.map_or(i64::MAX, |ReconciliationId(id)| id);
        self.once(async |connection| {
            let rows = sqlx::query_file!("../sql/console/reconciliations.sql", before, i64::from(limit));
            let found = rows.fetch_all(connection).await?.into_iter().map(|row| {
                let ended = Reconciliation {
                    window: DateWindow::new(row.window_start, row.window_end).map_err(corrupt)?,
                    companies: u32::try_from(row.companies).map_err(corrupt)?,
                    sample_size: u32::try_from(row.sample_size).map_err(corrupt)?,
                    requested_by: row.requested_by,
                    started_at: row.started_at,
                    ended_at: row.ended_at,
                    compared: counted(row.compared)?,
                    mismatches: counted(row.mismatches)?,
                    invalid_records: counted(row.invalid_records)?,
                    awaiting_run: counted(row.awaiting_run)?,
                    by_kind: serde_json::from_str(&row.by_kind).map_err(corrupt)?,
                };
                Ok((ReconciliationId(row.reconciliation_id), ended))
            });
            found.collect()
        })
        .await
    }
}

/// Forgets the comparisons that ended before `kept_since`, unless only their number is asked.
pub(crate) async fn forget_before(
    connection: &mut SqliteConnection,
    kept_since: DateTime<Utc>,
    dry_run: bool,
) -> Result<u64> {
    if dry_run {
        let old = sqlx::query_scalar!(
            r#"SELECT COUNT(*) AS "old!: i64" FROM reconciliations WHERE ended_at < $1"#,
            kept_since
        );
        return Ok(counted(old.fetch_one(connection).await?)?);
    }
    let forgotten = sqlx::query!("DELETE FROM reconciliations WHERE ended_at < $1", kept_since);
    Ok(forgotten.execute(connection).await?.rows_affected())
}
