//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{Concerns, Counters, DateWindow, Rejection, SourceRow, UsageRecord, usage::days_affected_by};
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;
use warehouse_core::{
    ComparedDay, Error, Fence, HABIT_DAYS, LoadOutcome, Received, Result, RowStream, UsageDay, UsageDayState,
    UsageLimits, UsageStaging, noted,
};

use crate::{
    SqliteWarehouse,
    database::{bump_staging_version, counted, failed, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    quarantine,
    rows::corrupt,
};

pub(crate) struct UsageIncoming;

impl IncomingTable<UsageRecord> for UsageIncoming {
    fn encode(line: u64, row: UsageRecord) -> Value {
        json!([stored(line), row.company_id.as_str(), row.active_users, row.events, false])
    }

    fn encode_unreadable(row: &SourceRow<UsageRecord>) -> Option<Value> {
        match row {
            SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) => {
                Some(json!([stored(*line), company_id.as_str(), 0, 0, true]))
            }
            _ => None,
        }
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
            r#"SELECT date AS "day: NaiveDate", records, run_id, fetched_at AS "fetched_at: DateTime<Utc>"
               FROM usage_days WHERE date BETWEEN ?1 AND ?2 ORDER BY date"#,
            start,
            end
        )
        .fetch_all(&self.readers)
        .await
        .map_err(failed)?;
        days.into_iter()
            .map(|day| {
                Ok(UsageDayState {
                    day: day.day,
                    records: counted(day.records),
                    fetched_at: day.fetched_at,
                    run_id: Uuid::parse_str(&day.run_id).map_err(corrupt)?,
                })
            })
            .collect()
    }

    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        let delivery = Delivery { origin: day.landing_path.as_deref().unwrap_or_default(), fence, now };
        let (rows, notes) = noted(rows);
        let mut counters = incoming::read::<_, UsageIncoming>(&mut transaction, &delivery, rows).await?;
        let received = notes.into_received();
        counters.bytes_read = day.bytes;
        keep_last_records(&mut transaction, &delivery, day.day, &mut counters).await?;
        let answer = Answer::compare(&mut transaction, day.day, &received).await?;
        if let Err(refused) = answer.compared.judge(day.day, &received, limits) {
            // What is wrong with the records is told all the same.
            end_load(&mut transaction, &delivery).await?;
            transaction.commit().await.map_err(failed)?;
            return Err(refused);
        }
        apply_changes(&mut transaction, day.day, &answer, &mut counters).await?;
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
    drop_unread_records(transaction).await?;
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

/// Leaves one record a company, as a load does that tells nobody of the others.
pub(crate) async fn drop_others(connection: &mut SqliteConnection) -> Result<()> {
    drop_unread_records(connection).await?;
    drop_superseded(connection).await.map(|_| ())
}

async fn drop_unread_records(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query_file!("sql/usage/drop_unread_records.sql").execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Leaves one readable record a company; returns how many others there were.
async fn drop_superseded(connection: &mut SqliteConnection) -> Result<u64> {
    let dropped =
        sqlx::query_file!("sql/usage/keep_last_records.sql").execute(connection).await.map_err(failed)?;
    Ok(dropped.rows_affected())
}

/// A day's answer, one record a company.
pub(crate) struct Answer {
    pub(crate) compared: ComparedDay,
    /// Companies whose record changes.
    pub(crate) changes: u64,
}

impl Answer {
    /// Compares what arrived with what is known.
    pub(crate) async fn compare(
        connection: &mut SqliteConnection,
        day: NaiveDate,
        received: &Received,
    ) -> Result<Self> {
        let changed = sqlx::query_file!("sql/usage/find_changes.sql", day, received.may_lack_anyone)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        let habit_from = day - Days::new(HABIT_DAYS);
        let found = sqlx::query_file!("sql/usage/compare.sql", day, habit_from)
            .fetch_one(connection)
            .await
            .map_err(failed)?;
        let compared = ComparedDay {
            arrived: counted(found.arrived),
            known: found.known.map(counted),
            lost: counted(found.lost),
            days_before: counted(found.days_before),
            days_before_with_records: counted(found.days_before_with_records),
        };
        Ok(Self { compared, changes: changed.rows_affected() })
    }
}

/// Makes staging what the answer says, and marks dirty what reads a change.
async fn apply_changes(
    transaction: &mut Transaction<'static, Sqlite>,
    day: NaiveDate,
    answer: &Answer,
    counters: &mut Counters,
) -> Result<()> {
    let connection = &mut **transaction;
    if answer.changes > 0 {
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
    counters.rows_unchanged = answer.compared.arrived - counters.rows_written;
    Ok(())
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
    sqlx::query_file!("sql/usage/record_day.sql", day.day, day.landing_path, bytes, run_id, delivery.now)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
    end_load(transaction, delivery).await
}

/// Leaves the tables of a load empty, and its rejected records in quarantine.
async fn end_load(transaction: &mut Transaction<'static, Sqlite>, delivery: &Delivery<'_>) -> Result<()> {
    let connection = &mut **transaction;
    quarantine::keep_first_met(connection, delivery.origin).await?;
    clear_incoming(connection).await
}

/// Empties the tables that take a delivery.
pub(crate) async fn clear_incoming(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("DELETE FROM usage_incoming").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM usage_changes").execute(connection).await.map_err(failed)?;
    Ok(())
}
