//! The coordinator's outbox and the notifier's record of deliveries.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::AlertCause;
use sqlx::PgConnection;
use warehouse_core::{
    AlertLog, AlertOutbox, AlertQuery, AlertReader, Error, NewAlert, PendingAlert, RecordedAlert,
    engine::corrupt,
};

use crate::{
    database::{PostgresWarehouse, storable},
    fault::Result,
};

/// Writes an alert to the outbox within the caller's transaction. Returns whether it is new.
pub(crate) async fn enqueue(connection: &mut PgConnection, alert: &NewAlert) -> Result<bool> {
    let error_message = storable(&alert.error_message);
    let written = sqlx::query_file!(
        "../sql/runs/insert_alert.sql",
        alert.alert_key,
        alert.pipeline,
        alert.stage,
        i32::try_from(alert.attempt).map_err(corrupt)?,
        alert.error_code,
        error_message.as_ref(),
        alert.run_id,
        alert.business_date,
        alert.failed_at,
        alert.cause.as_str()
    )
    .execute(connection)
    .await?;
    Ok(written.rows_affected() > 0)
}

#[async_trait]
impl AlertOutbox for PostgresWarehouse {
    async fn write_alert(&self, alert: &NewAlert) -> Result<bool, Error> {
        self.once(async |connection| enqueue(connection, alert).await).await
    }

    async fn claim_due_alerts(&self, limit: u32, claim: Duration) -> Result<Vec<PendingAlert>, Error> {
        let rows = self.once(async |connection| {
            let claim = sqlx::query_file!("sql/runs/claim_alerts.sql", i64::from(limit), claim.as_secs_f64());
            let alerts = claim.fetch_all(connection).await?.into_iter().map(|row| {
                Ok(PendingAlert {
                    alert: NewAlert {
                        alert_key: row.alert_key,
                        cause: AlertCause::from_stored(&row.cause),
                        pipeline: row.pipeline,
                        stage: row.stage,
                        attempt: u32::try_from(row.attempt).map_err(corrupt)?,
                        error_code: row.error_code,
                        error_message: row.error_message,
                        run_id: row.run_id,
                        business_date: row.business_date,
                        failed_at: row.failed_at,
                    },
                    tries: u32::try_from(row.tries - 1).map_err(corrupt)?,
                })
            });
            alerts.collect::<Result<Vec<_>>>()
        });
        let mut alerts = rows.await?;
        // RETURNING guarantees no order.
        alerts.sort_by_key(|pending| pending.alert.failed_at);
        Ok(alerts)
    }

    async fn settle_alert(&self, alert_key: &str, now: DateTime<Utc>) -> Result<(), Error> {
        self.once(async |connection| {
            sqlx::query!("UPDATE alert_outbox SET settled_at = $2 WHERE alert_key = $1", alert_key, now)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn defer_alert(&self, alert_key: &str, delay: Duration, problem: &str) -> Result<(), Error> {
        let problem = storable(problem);
        self.once(async |connection| {
            sqlx::query_file!("sql/runs/defer_alert.sql", alert_key, delay.as_secs_f64(), problem.as_ref())
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl AlertReader for PostgresWarehouse {
    async fn alerts(&self, query: &AlertQuery, limit: u32) -> Result<Vec<RecordedAlert>, Error> {
        let run_id = query.run_id;
        let after = query.after.as_ref().map(|after| (after.failed_at, after.alert_key.as_str()));
        let (failed_at, alert_key) = after.unzip();
        self.once(async |connection| {
            let rows = sqlx::query_file!(
                "sql/runs/alerts.sql",
                run_id,
                query.only_open,
                failed_at,
                alert_key,
                i64::from(limit)
            );
            let alerts = rows.fetch_all(connection).await?.into_iter().map(|row| {
                Ok(RecordedAlert {
                    alert: NewAlert {
                        alert_key: row.alert_key,
                        cause: AlertCause::from_stored(&row.cause),
                        pipeline: row.pipeline,
                        stage: row.stage,
                        attempt: u32::try_from(row.attempt).map_err(corrupt)?,
                        error_code: row.error_code,
                        error_message: row.error_message,
                        run_id: row.run_id,
                        business_date: row.business_date,
                        failed_at: row.failed_at,
                    },
                    is_open: row.is_open,
                    settled_at: row.settled_at,
                    tries: u32::try_from(row.tries).map_err(corrupt)?,
                    problem: row.last_problem,
                })
            });
            alerts.collect()
        })
        .await
    }
}

#[async_trait]
impl AlertLog for PostgresWarehouse {
    async fn delivered_channels(&self, alert_key: &str) -> Result<Vec<String>, Error> {
        self.once(async |connection| {
            let channels = sqlx::query_file_scalar!("../sql/runs/delivered_channels.sql", alert_key);
            Ok(channels.fetch_all(connection).await?)
        })
        .await
    }

    async fn record_delivery(&self, alert_key: &str, channel: &str, now: DateTime<Utc>) -> Result<(), Error> {
        self.once(async |connection| {
            sqlx::query_file!("../sql/runs/record_delivery.sql", alert_key, channel, now)
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}
