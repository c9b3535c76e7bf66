//! The coordinator's outbox and the notifier's memory.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{AlertCause, AlertLog, AlertOutbox, NewAlert, PendingAlert, Result};

use crate::{
    SqliteWarehouse,
    database::{failed, stored},
    rows::corrupt,
};

/// Writes an alert to the outbox within the caller's transaction. Returns whether it is new.
pub(crate) async fn enqueue(connection: &mut SqliteConnection, alert: &NewAlert) -> Result<bool> {
    let (run_id, cause) = (alert.run_id.to_string(), alert.cause.as_str());
    let written = sqlx::query_file!(
        "sql/runs/insert_alert.sql",
        alert.alert_key,
        alert.pipeline,
        alert.stage,
        alert.attempt,
        alert.error_code,
        alert.error_message,
        run_id,
        alert.business_date,
        alert.failed_at,
        cause
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(written.rows_affected() > 0)
}

#[async_trait]
impl AlertOutbox for SqliteWarehouse {
    async fn write_alert(&self, alert: &NewAlert) -> Result<bool> {
        enqueue(&mut *self.writer.acquire().await.map_err(failed)?, alert).await
    }

    async fn claim_due_alerts(&self, limit: u32, claim: Duration) -> Result<Vec<PendingAlert>> {
        let claim_ms = stored(u64::try_from(claim.as_millis()).unwrap_or(u64::MAX));
        // Asked every second: as long as nothing is due, no writer is kept waiting.
        let is_due = sqlx::query_file_scalar!("sql/runs/has_due_alert.sql")
            .fetch_one(&self.readers)
            .await
            .map_err(failed)?;
        if !is_due {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin_write().await?;
        let rows = sqlx::query_file!("sql/runs/claim_alerts.sql", limit, claim_ms)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        let mut alerts = rows
            .into_iter()
            .map(|row| {
                Ok(PendingAlert {
                    alert: NewAlert {
                        alert_key: row.alert_key,
                        cause: AlertCause::parse(&row.cause).ok_or_else(|| corrupt(row.cause))?,
                        pipeline: row.pipeline,
                        stage: row.stage,
                        attempt: u32::try_from(row.attempt).map_err(corrupt)?,
                        error_code: row.error_code,
                        error_message: row.error_message,
                        run_id: Uuid::parse_str(&row.run_id).map_err(corrupt)?,
                        business_date: row.business_date,
                        failed_at: row.failed_at,
                    },
                    tries: u32::try_from(row.tries - 1).map_err(corrupt)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        // RETURNING promises no order.
        alerts.sort_by_key(|pending| pending.alert.failed_at);
        Ok(alerts)
    }

    async fn settle_alert(&self, alert_key: &str, now: DateTime<Utc>) -> Result<()> {
        sqlx::query!("UPDATE alert_outbox SET settled_at = ?2 WHERE alert_key = ?1", alert_key, now)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn defer_alert(&self, alert_key: &str, delay: Duration, problem: &str) -> Result<()> {
        let delay_ms = stored(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        sqlx::query!(
            "UPDATE alert_outbox SET due_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?2, last_problem = ?3
             WHERE alert_key = ?1",
            alert_key,
            delay_ms,
            problem
        )
        .execute(&self.writer)
        .await
        .map_err(failed)?;
        Ok(())
    }
}

#[async_trait]
impl AlertLog for SqliteWarehouse {
    async fn delivered_channels(&self, alert_key: &str) -> Result<Vec<String>> {
        sqlx::query_scalar!(
            "SELECT channel FROM alert_deliveries WHERE alert_key = ?1 ORDER BY channel",
            alert_key
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)
    }

    async fn record_delivery(&self, alert_key: &str, channel: &str, now: DateTime<Utc>) -> Result<()> {
        sqlx::query!(
            "INSERT OR IGNORE INTO alert_deliveries (alert_key, channel, delivered_at) VALUES (?1, ?2, ?3)",
            alert_key,
            channel,
            now
        )
        .execute(&self.writer)
        .await
        .map_err(failed)?;
        Ok(())
    }
}
