//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, UsageRecord, usage::days_affected_by};
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use warehouse_core::{Error, Fence, LoadOutcome, Result, RowStream, UsageDay, UsageDayState, UsageStaging};

use crate::{
    SqliteWarehouse,
    database::{bump_staging_version, counted, failed, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    quarantine,
};

pub(crate) struct UsageIncoming;

impl IncomingTable<UsageRecord> for UsageIncoming {
    fn encode(line: u64, row: UsageRecord) -> Value {
        json!([stored(line), row.company_id.as_str(), row.active_users, row.events])
    }

    async fn insert(connection: &mut SqliteConnection, rows: &str) -> sqlx::Result<()> {
        sqlx::query_file!("sql/usage/insert_incoming.sql", rows).execute(connection).await.map(|_| ())
    }
}

#[async_trait]
impl UsageStaging for SqliteWarehouse {
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>> {
        let (start, end) = (window.start(), window.end());
        let days = sqlx::query!(
            r#"SELECT date AS "day: NaiveDate", records, fetched_at AS "fetched_at: DateTime<Utc>"
               FROM usage_days WHERE date BETWEEN ?1 AND ?2 ORDER BY date"#,
            start,
            end
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        Ok(days
            .into_iter()
            .map(|day| UsageDayState {
                day: day.day,
                records: counted(day.records),
                fetched_at: day.fetched_at,
            })
            .collect())
    }

    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        let delivery = Delivery { origin: day.landing_path.as_deref().unwrap_or_default(), fence, now };
        let mut counters = incoming::read::<_, UsageIncoming>(&mut transaction, &delivery, rows).await?;
        counters.bytes_read = day.bytes;
        keep_last_records(&mut transaction, &delivery, day.day, &mut counters).await?;
        refuse_empty_answer(&mut transaction, day.day).await?;
        apply_changes(&mut transaction, day.day, &mut counters).await?;
        record_day(&mut transaction, &delivery, day).await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one record a company, and accounts for the others.
async fn keep_last_records(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    day: NaiveDate,
    counters: &mut Counters,
) -> Result<()> {
    let run_id = delivery.fence.run_id.to_string();
    let superseded = sqlx::query_file!(
        "sql/usage/quarantine_superseded.sql",
        delivery.origin,
        run_id,
        delivery.fence.stage,
        delivery.now,
        day
    )
    .execute(&mut **transaction)
    .await
    .map_err(failed)?
    .rows_affected();
    let dropped = drop_superseded(transaction).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

/// Leaves one record a company; returns how many others there were.
pub(crate) async fn drop_superseded(connection: &mut SqliteConnection) -> Result<u64> {
    let dropped =
        sqlx::query_file!("sql/usage/keep_last_records.sql").execute(connection).await.map_err(failed)?;
    Ok(dropped.rows_affected())
}

pub(crate) async fn refuse_empty_answer(connection: &mut SqliteConnection, day: NaiveDate) -> Result<()> {
    let counts = sqlx::query!(
        r#"SELECT (SELECT COUNT(*) FROM usage_incoming) AS "arrived!: i64",
                  COALESCE((SELECT records FROM usage_days WHERE date = ?1), 0) AS "known!: i64""#,
        day
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    if counts.arrived == 0 && counts.known > 0 {
        return Err(Error::Refused(format!(
            "the product API returned no valid record for {day}, which had {} before: an empty answer for a \
             known day is not believed; check the API, then retry the run",
            counts.known
        )));
    }
    Ok(())
}

/// Makes staging equal to what arrived, and marks dirty what reads a change.
async fn apply_changes(
    transaction: &mut Transaction<'static, Sqlite>,
    day: NaiveDate,
    counters: &mut Counters,
) -> Result<()> {
    let connection = &mut **transaction;
    let changed = find_changes(connection, day).await?;
    let arrived = sqlx::query_scalar!(r#"SELECT COUNT(*) AS "count!: i64" FROM usage_incoming"#)
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if changed > 0 {
        sqlx::query!(
            "INSERT OR IGNORE INTO known_companies (company_id)
             SELECT company_id FROM usage_changes WHERE is_present"
        )
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
        counters.rows_written = sqlx::query_file!("sql/usage/upsert_changed.sql", day)
            .execute(&mut *connection)
            .await
            .map_err(failed)?
            .rows_affected();
        counters.rows_removed = sqlx::query_file!("sql/usage/delete_gone.sql", day)
            .execute(&mut *connection)
            .await
            .map_err(failed)?
            .rows_affected();
        mark_dirty(connection, day).await?;
        bump_staging_version(connection).await?;
    }
    counters.rows_unchanged = counted(arrived) - counters.rows_written;
    Ok(())
}

/// Compares what arrived with what is staged; returns how many companies differ.
pub(crate) async fn find_changes(connection: &mut SqliteConnection, day: NaiveDate) -> Result<u64> {
    let changed =
        sqlx::query_file!("sql/usage/find_changes.sql", day).execute(connection).await.map_err(failed)?;
    Ok(changed.rows_affected())
}

/// Marks dirty the published company-days that read a change.
pub(crate) async fn mark_dirty(connection: &mut SqliteConnection, day: NaiveDate) -> Result<()> {
    let affected_until = days_affected_by(day).end();
    sqlx::query_file!("sql/usage/mark_dirty.sql", day, affected_until)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn record_day(
    transaction: &mut Transaction<'static, Sqlite>,
    delivery: &Delivery<'_>,
    day: &UsageDay,
) -> Result<()> {
    let (run_id, bytes) = (delivery.fence.run_id.to_string(), stored(day.bytes));
    let connection = &mut **transaction;
    sqlx::query_file!("sql/usage/record_day.sql", day.day, day.landing_path, bytes, run_id, delivery.now)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    quarantine::keep_first_met(connection, delivery.origin).await?;
    clear_incoming(connection).await
}

/// Empties the tables that take a delivery.
pub(crate) async fn clear_incoming(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("DELETE FROM usage_incoming").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM usage_changes").execute(connection).await.map_err(failed)?;
    Ok(())
}
