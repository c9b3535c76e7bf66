//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{
    CompanyId, Concerns, Counters, DateWindow, Rejection, SourceRow, UsageRecord, usage::days_affected_by,
};
use sqlx::SqliteConnection;
use warehouse_core::{
    ComparedDay, Delivered, Error, Fence, HABIT_DAYS, LoadOutcome, Received, RowStream, UsageDay,
    UsageDayState, UsageLimits, UsageStaging,
    engine::{Delivery, balanced, corrupt, counted, stored},
    noted,
};

use crate::{
    database::{SqliteWarehouse, bump_staging_version},
    fault::Result,
    fence,
    incoming::{self, IncomingTable, RowValues},
    quarantine, replays,
    run_rows::parse_id,
};

pub(crate) struct UsageIncoming;

/// What is staged of a record of usage.
pub(crate) struct IncomingUsage {
    line: i64,
    company_id: CompanyId,
    active_users: i32,
    events: i64,
    is_unreadable: bool,
}

impl IncomingTable<UsageRecord> for UsageIncoming {
    type Row = IncomingUsage;

    const INSERT: &'static str =
        "INSERT INTO usage_incoming (line, company_id, active_users, events, is_unreadable) ";

    fn readable(line: u64, row: UsageRecord) -> IncomingUsage {
        let UsageRecord { company_id, active_users, events, .. } = row;
        IncomingUsage { line: stored(line), company_id, active_users, events, is_unreadable: false }
    }

    fn unreadable(row: &SourceRow<UsageRecord>) -> Option<IncomingUsage> {
        let SourceRow::Rejected(Rejection { line, concerns: Concerns::Company(company_id), .. }) = row else {
            return None;
        };
        let (line, company_id) = (stored(*line), company_id.clone());
        Some(IncomingUsage { line, company_id, active_users: 0, events: 0, is_unreadable: true })
    }

    fn bind(row: IncomingUsage, values: &mut RowValues<'_>) {
        values
            .push_bind(row.line)
            .push_bind(row.company_id.as_str())
            .push_bind(row.active_users)
            .push_bind(row.events)
            .push_bind(row.is_unreadable);
    }
}

#[async_trait]
impl UsageStaging for SqliteWarehouse {
    async fn usage_days(&self, window: DateWindow) -> Result<Vec<UsageDayState>, Error> {
        self.once(async |connection| days(connection, window).await).await
    }

    async fn usage_replays(&self) -> Result<Vec<NaiveDate>, Error> {
        self.once(async |connection| {
            let days = sqlx::query_file_scalar!("../sql/usage/replayed_days.sql");
            Ok(days.fetch_all(connection).await?)
        })
        .await
    }

    async fn load_usage_day(
        &self,
        fence: &Fence,
        day: &UsageDay,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
        now: DateTime<Utc>,
    ) -> Result<LoadOutcome, Error> {
        let loaded = self.write(async |connection| {
            fence::check(connection, fence).await?;
            let delivery = Delivery {
                origin: day.landing_path.as_deref().unwrap_or_default(),
                fence,
                business_date: Some(day.day),
                now,
            };
            let (rows, notes) = noted(rows);
            let mut counters = incoming::read::<_, UsageIncoming>(connection, &delivery, rows).await?;
            let mut received = notes.into_received();
            counters.bytes_read = day.bytes;
            keep_last_records(connection, &delivery, day.day, &mut counters).await?;
            received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            let answer = Answer::compare(connection, day.day, &received).await?;
            if let Err(refused) = answer.compared.judge(day.day, &received, limits) {
                // The rejected records are recorded all the same.
                replays::answer(connection, Delivered::Day(day.day), now).await?;
                end_load(connection, &delivery).await?;
                return Ok(Err(refused));
            }
            apply_changes(connection, day.day, &answer, &mut counters).await?;
            record_day(connection, &delivery, day, answer.compared).await?;
            Ok(Ok(LoadOutcome { counters: balanced(counters)? }))
        });
        loaded.await?
    }
}

/// The days of `window` fetched before, in order.
pub(crate) async fn days(
    connection: &mut SqliteConnection,
    window: DateWindow,
) -> Result<Vec<UsageDayState>> {
    let (start, end) = (window.start(), window.end());
    let days = sqlx::query_file!("../sql/usage/days.sql", start, end).fetch_all(connection).await?;
    let days = days.into_iter().map(|day| {
        Ok(UsageDayState {
            day: day.day,
            records: counted(day.records)?,
            fetched_at: day.fetched_at,
            run_id: parse_id(&day.run_id)?,
            landing_path: day.landing_path,
            bytes: counted(day.bytes)?,
            etag: day.landing_etag,
            page_ends: page_ends(day.page_ends.as_deref())?,
        })
    });
    days.collect()
}

/// Where the pages of a day end, from the JSON array that is stored.
fn page_ends(stored: Option<&str>) -> Result<Vec<u64>> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    serde_json::from_str(stored)
        .map_err(|_| corrupt(format!("{stored:?} does not say where pages end")).into())
}

/// Keeps one record per company, and counts the others.
async fn keep_last_records(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    day: NaiveDate,
    counters: &mut Counters,
) -> Result<()> {
    drop_unread_records(connection).await?;
    let Delivery { origin, fence, now, .. } = delivery;
    let run_id = fence.run_id.hyphenated();
    let superseded =
        sqlx::query_file!("sql/usage/quarantine_superseded.sql", origin, run_id, fence.stage, now, day);
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = drop_superseded(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

/// Keeps one record per company, for loads that do not report the others.
pub(crate) async fn drop_others(connection: &mut SqliteConnection) -> Result<()> {
    drop_unread_records(connection).await?;
    drop_superseded(connection).await?;
    Ok(())
}

async fn drop_unread_records(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query_file!("../sql/usage/drop_unread_records.sql").execute(connection).await?;
    Ok(())
}

/// Keeps one readable record per company; returns the number of others.
async fn drop_superseded(connection: &mut SqliteConnection) -> Result<u64> {
    let dropped = sqlx::query_file!("sql/usage/keep_last_records.sql").execute(connection).await?;
    Ok(dropped.rows_affected())
}

/// A day's answer, one record per company.
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
            .await?;
        let found = sqlx::query_file!("sql/usage/compare.sql", day, day - Days::new(HABIT_DAYS))
            .fetch_one(connection)
            .await?;
        let compared = ComparedDay {
            arrived: counted(found.arrived)?,
            known: found.known.map(counted).transpose()?,
            lost: counted(found.lost)?,
            days_before: counted(found.days_before)?,
            days_before_with_records: counted(found.days_before_with_records)?,
        };
        Ok(Self { compared, changes: changed.rows_affected() })
    }
}

/// Applies the answer to staging, and marks dirty what reads a change.
async fn apply_changes(
    connection: &mut SqliteConnection,
    day: NaiveDate,
    answer: &Answer,
    counters: &mut Counters,
) -> Result<()> {
    if answer.changes > 0 {
        sqlx::query_file!("../sql/usage/name_companies.sql").execute(&mut *connection).await?;
        let written = sqlx::query_file!("../sql/usage/upsert_changed.sql", day).execute(&mut *connection);
        counters.rows_written = written.await?.rows_affected();
        let removed = sqlx::query_file!("../sql/usage/delete_gone.sql", day).execute(&mut *connection);
        counters.rows_removed = removed.await?.rows_affected();
        mark_dirty(connection, day).await?;
        bump_staging_version(connection).await?;
    }
    counters.rows_unchanged = answer.compared.arrived - counters.rows_written;
    Ok(())
}

/// Marks dirty the published company-days that read a change.
pub(crate) async fn mark_dirty(connection: &mut SqliteConnection, day: NaiveDate) -> Result<()> {
    let affected_until = days_affected_by(day).end();
    sqlx::query_file!("sql/usage/mark_dirty.sql", day, affected_until).execute(connection).await?;
    Ok(())
}

/// A day without any record has no file, so nothing else replaces the rejected records of
/// the answer before.
async fn forget_other_files(connection: &mut SqliteConnection, delivery: &Delivery<'_>) -> Result<()> {
    if delivery.origin.is_empty() {
        let (stage, day) = (&delivery.fence.stage, delivery.business_date);
        sqlx::query!("DELETE FROM quarantine WHERE stage = $1 AND business_date = $2", stage, day)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn record_day(
    connection: &mut SqliteConnection,
    delivery: &Delivery<'_>,
    day: &UsageDay,
    compared: ComparedDay,
) -> Result<()> {
    let new_records = compared.known.is_none().then(|| stored(compared.arrived));
    let page_ends = serde_json::json!(day.page_ends).to_string();
    sqlx::query_file!(
        "../sql/usage/record_day.sql",
        day.day,
        day.landing_path,
        stored(day.bytes),
        delivery.fence.run_id.hyphenated(),
        delivery.now,
        new_records,
        page_ends,
        day.etag
    )
    .execute(&mut *connection)
    .await?;
    forget_other_files(connection, delivery).await?;
    end_load(connection, delivery).await
}

/// Empties the tables of a load, and quarantines its rejected records.
async fn end_load(connection: &mut SqliteConnection, delivery: &Delivery<'_>) -> Result<()> {
    quarantine::keep_first_met(connection, delivery.origin).await?;
    clear_incoming(connection).await
}

/// Empties the tables that receive a delivery.
pub(crate) async fn clear_incoming(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("DELETE FROM usage_incoming").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM usage_changes").execute(connection).await?;
    Ok(())
}
