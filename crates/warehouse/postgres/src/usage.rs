//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{Concerns, Counters, DateWindow, Rejection, SourceRow, UsageRecord, usage::days_affected_by};
use sqlx::PgConnection;
use warehouse_core::{
    ComparedDay, Error, Fence, HABIT_DAYS, LoadOutcome, Received, Result, RowStream, UsageDay, UsageDayState,
    UsageLimits, UsageStaging, noted,
};

use crate::{
    PostgresWarehouse,
    copy_rows::CopyRows,
    database::{begin_write, bump_staging_version, counted, failed, stored},
    fence,
    incoming::{self, Delivery, IncomingTable},
    locks::Lock,
    quarantine,
};

pub(crate) struct UsageIncoming;

impl IncomingTable<UsageRecord> for UsageIncoming {
    const CREATE: &'static str = include_str!("../sql/usage/create_incoming.sql");
    const COPY: &'static str = "COPY usage_incoming (line, company_id, active_users, events, is_unreadable) \
                                FROM STDIN (FORMAT binary)";

    fn encode(rows: &mut CopyRows, line: i64, row: &UsageRecord) {
        rows.row(5)
            .bigint(line)
            .text(row.company_id.as_str())
            .integer(row.active_users)
            .bigint(row.events)
            .boolean(false);
    }

    fn encode_unreadable(rows: &mut CopyRows, row: &SourceRow<UsageRecord>) {
        if let SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) = row {
            rows.row(5).bigint(stored(*line)).text(company_id.as_str()).integer(0).bigint(0).boolean(true);
        }
    }
}

#[async_trait]
impl UsageStaging for PostgresWarehouse {
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>> {
        let days = sqlx::query!(
            "SELECT date, records, run_id, fetched_at FROM usage_days WHERE date BETWEEN $1 AND $2 ORDER BY date",
            window.start(),
            window.end()
        )
        .fetch_all(&mut *self.connection().await?)
        .await
        .map_err(failed)?;
        Ok(days
            .into_iter()
            .map(|day| UsageDayState {
                day: day.date,
                records: counted(day.records),
                fetched_at: day.fetched_at,
                run_id: day.run_id,
            })
            .collect())
    }

    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome> {
        let mut connection = self.connect_load().await?;
        let mut transaction = begin_write(&mut connection).await?;
        fence::check(&mut transaction, fence).await?;
        let (rows, notes) = noted(rows);
        let mut counters = incoming::read::<_, UsageIncoming>(&mut transaction, rows).await?;
        let received = notes.into_received();
        counters.bytes_read = day.bytes;
        let delivery = Delivery { origin: day.landing_path.as_deref().unwrap_or_default(), fence, now };
        keep_last_records(&mut transaction, day.day, &mut counters).await?;

        Lock::Usage.take(&mut transaction).await?;
        let answer = Answer::compare(&mut transaction, day.day, &received).await?;
        if let Err(refused) = answer.compared.judge(day.day, &received, limits) {
            // What is wrong with the records is told all the same.
            quarantine::replace(&mut transaction, &delivery).await?;
            fence::hold(&mut transaction, fence).await?;
            transaction.commit().await.map_err(failed)?;
            return Err(refused);
        }
        apply_changes(&mut transaction, day.day, &answer, &mut counters).await?;
        record_day(&mut transaction, &delivery, day).await?;
        let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
        fence::hold(&mut transaction, fence).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(LoadOutcome { counters })
    }
}

/// Leaves one record a company, and accounts for the others.
async fn keep_last_records(
    connection: &mut PgConnection,
    day: NaiveDate,
    counters: &mut Counters,
) -> Result<()> {
    let has_repeats = sqlx::query_file_scalar!("sql/usage/has_repeats.sql")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    if !has_repeats {
        return Ok(());
    }
    drop_unread_records(connection).await?;
    let superseded = sqlx::query_file!("sql/usage/quarantine_superseded.sql", day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?
        .rows_affected();
    let dropped = drop_superseded(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

/// Leaves one record a company, as a load does that tells nobody of the others.
pub(crate) async fn drop_others(connection: &mut PgConnection) -> Result<()> {
    drop_unread_records(connection).await?;
    drop_superseded(connection).await.map(|_| ())
}

async fn drop_unread_records(connection: &mut PgConnection) -> Result<()> {
    sqlx::query_file!("sql/usage/drop_unread_records.sql").execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Leaves one readable record a company; returns how many others there were.
async fn drop_superseded(connection: &mut PgConnection) -> Result<u64> {
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
        connection: &mut PgConnection,
        day: NaiveDate,
        received: &Received,
    ) -> Result<Self> {
        let known = sqlx::query_scalar!("SELECT records FROM usage_days WHERE date = $1", day)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
        let changed = match known {
            Some(_) => {
                sqlx::query_file!("sql/usage/find_changes.sql", day, received.may_lack_anyone)
                    .execute(&mut *connection)
                    .await
            }
            None => sqlx::query_file!("sql/usage/all_are_new.sql").execute(&mut *connection).await,
        };
        let changes = changed.map_err(failed)?.rows_affected();
        let found = sqlx::query_file!("sql/usage/compare.sql", day, day - Days::new(HABIT_DAYS))
            .fetch_one(connection)
            .await
            .map_err(failed)?;
        let compared = ComparedDay {
            arrived: counted(found.arrived),
            known: known.map(counted),
            lost: counted(found.lost),
            days_before: counted(found.days_before),
            days_before_with_records: counted(found.days_before_with_records),
        };
        Ok(Self { compared, changes })
    }
}

/// Makes staging what the answer says, and marks dirty what reads a change.
async fn apply_changes(
    connection: &mut PgConnection,
    day: NaiveDate,
    answer: &Answer,
    counters: &mut Counters,
) -> Result<()> {
    if answer.changes > 0 {
        write_changes(connection, day, answer.compared.known.is_none(), counters).await?;
        // Before the published days are looked at: none is added until this commits.
        bump_staging_version(connection).await?;
        mark_dirty(connection, day).await?;
    }
    counters.rows_unchanged = answer.compared.arrived - counters.rows_written;
    Ok(())
}

/// Marks dirty the published company-days that read a change.
pub(crate) async fn mark_dirty(connection: &mut PgConnection, day: NaiveDate) -> Result<()> {
    sqlx::query_file!("sql/usage/mark_dirty.sql", day, days_affected_by(day).end())
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn write_changes(
    connection: &mut PgConnection,
    day: NaiveDate,
    is_first: bool,
    counters: &mut Counters,
) -> Result<()> {
    sqlx::query!("SELECT ensure_month_partitions('stg_product_usage', $1, $1)", day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query_file!("sql/usage/name_companies.sql").execute(&mut *connection).await.map_err(failed)?;
    let written = if is_first {
        sqlx::query_file!("sql/usage/insert_new.sql", day).execute(&mut *connection).await
    } else {
        sqlx::query_file!("sql/usage/upsert_changed.sql", day).execute(&mut *connection).await
    };
    counters.rows_written = written.map_err(failed)?.rows_affected();
    if !is_first {
        counters.rows_removed = sqlx::query_file!("sql/usage/delete_gone.sql", day)
            .execute(&mut *connection)
            .await
            .map_err(failed)?
            .rows_affected();
    }
    sqlx::query!(
        "SELECT analyze_if_grown('stg_product_usage', $1, $1, $2)",
        day,
        stored(counters.rows_written)
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn record_day(connection: &mut PgConnection, delivery: &Delivery<'_>, day: &UsageDay) -> Result<()> {
    sqlx::query_file!(
        "sql/usage/record_day.sql",
        day.day,
        day.landing_path,
        stored(day.bytes),
        delivery.fence.run_id,
        delivery.now
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    quarantine::replace(connection, delivery).await
}
