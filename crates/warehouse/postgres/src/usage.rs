//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, UsageRecord, usage::days_affected_by};
use sqlx::PgConnection;
use warehouse_core::{Error, Fence, LoadOutcome, Result, RowStream, UsageDay, UsageDayState, UsageStaging};

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
    const COPY: &'static str =
        "COPY usage_incoming (line, company_id, active_users, events) FROM STDIN (FORMAT binary)";

    fn encode(rows: &mut CopyRows, line: i64, row: &UsageRecord) {
        rows.row(4).bigint(line).text(row.company_id.as_str()).integer(row.active_users).bigint(row.events);
    }
}

#[async_trait]
impl UsageStaging for PostgresWarehouse {
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>> {
        let days = sqlx::query!(
            "SELECT date, records, fetched_at FROM usage_days WHERE date BETWEEN $1 AND $2 ORDER BY date",
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
        let mut connection = self.connect_load().await?;
        let mut transaction = begin_write(&mut connection).await?;
        fence::check(&mut transaction, fence).await?;
        let mut counters = incoming::read::<_, UsageIncoming>(&mut transaction, rows).await?;
        counters.bytes_read = day.bytes;
        let delivery = Delivery { origin: day.landing_path.as_deref().unwrap_or_default(), fence, now };
        keep_last_records(&mut transaction, day.day, &mut counters).await?;

        Lock::Usage.take(&mut transaction).await?;
        let found = Found::on(&mut transaction, day.day).await?;
        found.refuse_empty_answer(day.day)?;
        apply_changes(&mut transaction, day.day, &found, &mut counters).await?;
        record_day(&mut transaction, &delivery, day, found.arrived).await?;
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

/// Leaves one record a company; returns how many others there were.
pub(crate) async fn drop_superseded(connection: &mut PgConnection) -> Result<u64> {
    let dropped =
        sqlx::query_file!("sql/usage/keep_last_records.sql").execute(connection).await.map_err(failed)?;
    Ok(dropped.rows_affected())
}

/// Records of a day.
pub(crate) struct Found {
    arrived: i64,
    /// Those that are staged; `None` if the day was never fetched.
    known: Option<i64>,
}

impl Found {
    pub(crate) async fn on(connection: &mut PgConnection, day: NaiveDate) -> Result<Self> {
        sqlx::query_file_as!(Self, "sql/usage/count_known.sql", day)
            .fetch_one(connection)
            .await
            .map_err(failed)
    }

    pub(crate) fn refuse_empty_answer(&self, day: NaiveDate) -> Result<()> {
        match self.known {
            Some(known) if known > 0 && self.arrived == 0 => Err(Error::Refused(format!(
                "the product API returned no valid record for {day}, which had {known} before: an empty \
                 answer for a known day is not believed; check the API, then retry the run"
            ))),
            _ => Ok(()),
        }
    }
}

/// Makes staging equal to what arrived, and marks dirty what reads a change.
async fn apply_changes(
    connection: &mut PgConnection,
    day: NaiveDate,
    found: &Found,
    counters: &mut Counters,
) -> Result<()> {
    if find_changes(connection, day, found).await? > 0 {
        write_changes(connection, day, found, counters).await?;
        // Before the published days are looked at: none is added until this commits.
        bump_staging_version(connection).await?;
        mark_dirty(connection, day).await?;
    }
    counters.rows_unchanged = counted(found.arrived) - counters.rows_written;
    Ok(())
}

/// Compares what arrived with what is staged; returns how many companies differ.
pub(crate) async fn find_changes(
    connection: &mut PgConnection,
    day: NaiveDate,
    found: &Found,
) -> Result<u64> {
    let changed = match found.known {
        Some(_) => sqlx::query_file!("sql/usage/find_changes.sql", day).execute(connection).await,
        None => sqlx::query_file!("sql/usage/all_are_new.sql").execute(connection).await,
    };
    Ok(changed.map_err(failed)?.rows_affected())
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
    found: &Found,
    counters: &mut Counters,
) -> Result<()> {
    sqlx::query!("SELECT ensure_month_partitions('stg_product_usage', $1, $1)", day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query_file!("sql/usage/name_companies.sql").execute(&mut *connection).await.map_err(failed)?;
    let is_first = found.known.is_none();
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

async fn record_day(
    connection: &mut PgConnection,
    delivery: &Delivery<'_>,
    day: &UsageDay,
    records: i64,
) -> Result<()> {
    sqlx::query_file!(
        "sql/usage/record_day.sql",
        day.day,
        records,
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
