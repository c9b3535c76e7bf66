//! Staging of product usage.

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{
    CompanyId, Concerns, Counters, DateWindow, Rejection, SourceRow, UsageRecord, usage::days_affected_by,
};
use sqlx::PgConnection;
use warehouse_core::{
    ComparedDay, Delivered, Error, Fence, HABIT_DAYS, LoadOutcome, Received, RowStream, UsageDay,
    UsageDayState, UsageLimits, UsageStaging,
    engine::{Delivery, balanced, counted, stored},
    noted,
};

use crate::{
    copy_rows::CopyRows,
    database::{PostgresWarehouse, bump_staging_version},
    fault::Result,
    fence,
    incoming::{self, IncomingTable},
    locks::Lock,
    quarantine, replays,
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

    fn company(row: &SourceRow<UsageRecord>) -> Option<&CompanyId> {
        match row {
            SourceRow::Accepted { row, .. } => Some(&row.company_id),
            SourceRow::Rejected(Rejection { concerns: Concerns::Company(company_id), .. }) => {
                Some(company_id)
            }
            SourceRow::Partial { .. } | SourceRow::Rejected(_) => None,
        }
    }
}

#[async_trait]
impl UsageStaging for PostgresWarehouse {
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
        let loaded = self.load(async |connection| {
            fence::check(connection, fence).await?;
            let (rows, notes) = noted(rows);
            let delivered = incoming::read::<_, UsageIncoming>(connection, rows).await?;
            let mut counters = Counters { bytes_read: day.bytes, ..delivered.counters };
            let mut received = notes.into_received();
            let delivery = Delivery {
                origin: day.landing_path.as_deref().unwrap_or_default(),
                fence,
                business_date: Some(day.day),
                now,
            };
            if delivered.may_repeat {
                keep_last_records(connection, day.day, &mut counters).await?;
            }

            Lock::Usage.take(connection).await?;
            if counters.rows_rejected > 0 {
                received.accepted = quarantine::keep_accepted(connection, delivery.origin).await?;
            }
            let answer = Answer::compare(connection, day.day, &received).await?;
            if let Err(refused) = answer.compared.judge(day.day, &received, limits) {
                // The rejected records are recorded all the same.
                replays::answer(connection, Delivered::Day(day.day), now).await?;
                quarantine::replace(connection, &delivery).await?;
                fence::hold(connection, fence).await?;
                return Ok(Err(refused));
            }
            apply_changes(connection, day.day, &answer, &mut counters).await?;
            record_day(connection, &delivery, day, answer.compared).await?;
            let counters = balanced(counters)?;
            fence::hold(connection, fence).await?;
            Ok(Ok(LoadOutcome { counters }))
        });
        loaded.await?
    }
}

/// The days of `window` fetched before, in order.
pub(crate) async fn days(connection: &mut PgConnection, window: DateWindow) -> Result<Vec<UsageDayState>> {
    let (start, end) = (window.start(), window.end());
    let days = sqlx::query_file!("../sql/usage/days.sql", start, end).fetch_all(connection).await?;
    let days = days.into_iter().map(|day| {
        let page_ends = day.page_ends.unwrap_or_default().into_iter().map(counted);
        Ok(UsageDayState {
            day: day.day,
            records: counted(day.records)?,
            fetched_at: day.fetched_at,
            run_id: day.run_id,
            landing_path: day.landing_path,
            bytes: counted(day.bytes)?,
            etag: day.landing_etag,
            page_ends: page_ends.collect::<Result<_, _>>()?,
        })
    });
    days.collect()
}

/// Keeps one record per company, and counts the others.
async fn keep_last_records(
    connection: &mut PgConnection,
    day: NaiveDate,
    counters: &mut Counters,
) -> Result<()> {
    if !sqlx::query_file_scalar!("sql/usage/has_repeats.sql").fetch_one(&mut *connection).await? {
        return Ok(());
    }
    drop_unread_records(connection).await?;
    let superseded = sqlx::query_file!("sql/usage/quarantine_superseded.sql", day);
    let superseded = superseded.execute(&mut *connection).await?.rows_affected();
    let dropped = drop_superseded(connection).await?;
    counters.rows_rejected += superseded;
    counters.rows_duplicate += dropped - superseded;
    Ok(())
}

/// Keeps one record per company, for loads that do not report the others.
pub(crate) async fn drop_others(connection: &mut PgConnection) -> Result<()> {
    drop_unread_records(connection).await?;
    drop_superseded(connection).await?;
    Ok(())
}

async fn drop_unread_records(connection: &mut PgConnection) -> Result<()> {
    sqlx::query_file!("../sql/usage/drop_unread_records.sql").execute(connection).await?;
    Ok(())
}

/// Keeps one readable record per company; returns the number of others.
async fn drop_superseded(connection: &mut PgConnection) -> Result<u64> {
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
        connection: &mut PgConnection,
        day: NaiveDate,
        received: &Received,
    ) -> Result<Self> {
        let known = sqlx::query_scalar!("SELECT records FROM usage_days WHERE date = $1", day);
        let known = known.fetch_optional(&mut *connection).await?;
        let changed = match known {
            Some(_) => sqlx::query_file!("sql/usage/find_changes.sql", day, received.may_lack_anyone),
            None => sqlx::query_file!("sql/usage/all_are_new.sql"),
        };
        let changes = changed.execute(&mut *connection).await?.rows_affected();
        let found = sqlx::query_file!("sql/usage/compare.sql", day, day - Days::new(HABIT_DAYS))
            .fetch_one(connection)
            .await?;
        let compared = ComparedDay {
            arrived: counted(found.arrived)?,
            known: known.map(counted).transpose()?,
            lost: counted(found.lost)?,
            days_before: counted(found.days_before)?,
            days_before_with_records: counted(found.days_before_with_records)?,
        };
        Ok(Self { compared, changes })
    }
}

/// Applies the answer to staging, and marks dirty what reads a change.
async fn apply_changes(
    connection: &mut PgConnection,
    day: NaiveDate,
    answer: &Answer,
    counters: &mut Counters,
) -> Result<()> {
    if answer.changes > 0 {
        write_changes(connection, day, answer.compared.known.is_none(), counters).await?;
        // Before looking at the published days: none is added until this commits.
        bump_staging_version(connection).await?;
        mark_dirty(connection, day).await?;
    }
    counters.rows_unchanged = answer.compared.arrived - counters.rows_written;
    Ok(())
}

/// Marks dirty the published company-days that read a change.
pub(crate) async fn mark_dirty(connection: &mut PgConnection, day: NaiveDate) -> Result<()> {
    let affected_until = days_affected_by(day).end();
    sqlx::query_file!("sql/usage/mark_dirty.sql", day, affected_until).execute(connection).await?;
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
        .await?;
    sqlx::query_file!("../sql/usage/name_companies.sql").execute(&mut *connection).await?;
    let written = if is_first {
        sqlx::query_file!("sql/usage/insert_new.sql", day)
    } else {
        sqlx::query_file!("../sql/usage/upsert_changed.sql", day)
    };
    counters.rows_written = written.execute(&mut *connection).await?.rows_affected();
    if !is_first {
        let removed = sqlx::query_file!("../sql/usage/delete_gone.sql", day).execute(&mut *connection);
        counters.rows_removed = removed.await?.rows_affected();
    }
    sqlx::query_file!("sql/usage/analyze_grown.sql", day, stored(counters.rows_written))
        .execute(connection)
        .await?;
    Ok(())
}

/// A day without any record has no file, so nothing else replaces the rejected records of
/// the answer before.
async fn forget_other_files(connection: &mut PgConnection, delivery: &Delivery<'_>) -> Result<()> {
    if delivery.origin.is_empty() {
        let (stage, day) = (&delivery.fence.stage, delivery.business_date);
        sqlx::query!("DELETE FROM quarantine WHERE stage = $1 AND business_date = $2", stage, day)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn record_day(
    connection: &mut PgConnection,
    delivery: &Delivery<'_>,
    day: &UsageDay,
    compared: ComparedDay,
) -> Result<()> {
    let new_records = compared.known.is_none().then(|| stored(compared.arrived));
    let page_ends: Vec<i64> = day.page_ends.iter().map(|end| stored(*end)).collect();
    sqlx::query_file!(
        "../sql/usage/record_day.sql",
        day.day,
        day.landing_path,
        stored(day.bytes),
        delivery.fence.run_id,
        delivery.now,
        new_records,
        &page_ends[..],
        day.etag
    )
    .execute(&mut *connection)
    .await?;
    forget_other_files(connection, delivery).await?;
    quarantine::replace(connection, delivery).await
}
