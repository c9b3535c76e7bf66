//! What a backfill would change, computed on temporary tables of one connection.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{DateWindow, FactRow, Progress, UsageRecord};
use sqlx::{Connection, Executor, Sqlite, SqliteConnection, pool::PoolConnection};
use warehouse_core::{
    BackfillPreview, ChangeCounts, ChangeKind, PreviewOutcome, PreviewSession, PreviewTally, ProgressSink,
    Result, RowStream, UsageLimits, noted,
};

use crate::{
    SqliteWarehouse,
    activity::published_row,
    build,
    database::{counted, failed},
    incoming,
    rows::FactRecord,
    shadow::shadow,
    usage::{self, Answer, UsageIncoming},
};

/// Tables that a day's answer passes through.
const INCOMING: [&str; 3] = ["usage_incoming", "usage_changes", "dirty_company_days"];

/// Tables that a build reads or writes, besides the dirty company-days. While
/// answers come in, staged usage is still the warehouse's own: it is what they
/// are compared with.
const BUILD: [&str; 4] = ["stg_product_usage", "known_companies", "fact_build_days", "fact_candidates"];

/// The preview under way.
struct SqlitePreview {
    connection: PoolConnection<Sqlite>,
    windows: Vec<DateWindow>,
    /// What was staged and published when it began.
    versions: Versions,
}

#[async_trait]
impl BackfillPreview for SqliteWarehouse {
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>> {
        let mut connection = self.exports.acquire().await.map_err(failed)?;
        // Its temporary tables must not outlive the preview.
        connection.close_on_drop();
        // A statement that was prepared before would go on using the table it found then.
        connection.clear_cached_statements().await.map_err(failed)?;
        let versions = Versions::read(&mut connection).await?;
        shadow(&mut connection, &INCOMING).await?;
        for script in [
            include_str!("../sql/preview/create_temporary.sql"),
            include_str!("../sql/preview/shadow_usage_days.sql"),
        ] {
            connection.execute(script).await.map_err(failed)?;
        }
        Ok(Box::new(SqlitePreview { connection, windows: windows.to_vec(), versions }))
    }
}

#[async_trait]
impl PreviewSession for SqlitePreview {
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<()> {
        let connection = &mut *self.connection;
        // Outside the transaction: a slow source would keep the log of changes from being truncated.
        let (rows, notes) = noted(rows);
        incoming::read_staged::<_, UsageIncoming>(connection, rows).await?;
        let received = notes.into_received();
        let mut transaction = connection.begin().await.map_err(failed)?;
        usage::drop_others(&mut transaction).await?;
        let answer = Answer::compare(&mut transaction, day, &received).await?;
        let judged = answer.compared.judge(day, &received, limits);
        if judged.is_ok() {
            keep_answer(&mut transaction, day, &answer).await?;
        }
        usage::clear_incoming(&mut transaction).await?;
        transaction.commit().await.map_err(failed)?;
        judged
    }

    async fn finish(
        mut self: Box<Self>,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome> {
        shadow(&mut self.connection, &BUILD).await?;
        let mut transaction = self.connection.begin().await.map_err(failed)?;
        let connection = &mut *transaction;
        let versions = Versions::read(connection).await?;
        begin_build(connection, &self.windows).await?;
        let mut tally = PreviewTally::new(&self.windows, sample);
        build_chunks(connection, &mut tally, sample, now, progress).await?;
        let rows_before = match tally.bounds() {
            Some((first, last)) => rows_of_days(connection, first, last).await?,
            None => BTreeMap::new(),
        };
        Ok(tally.into_outcome(&rows_before, versions != self.versions))
    }
}

/// Keeps where an answer differs from what is staged, and that its day is known.
async fn keep_answer(connection: &mut SqliteConnection, day: NaiveDate, answer: &Answer) -> Result<()> {
    if answer.changes > 0 {
        sqlx::query_file!("sql/preview/keep_differences.sql", day)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        usage::mark_dirty(connection, day).await?;
    }
    sqlx::query_file!("sql/preview/remember_day.sql", day).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Counts of changes to what is staged and published.
#[derive(Debug, PartialEq, Eq)]
struct Versions {
    staging: i64,
    publish: i64,
}

impl Versions {
    async fn read(connection: &mut SqliteConnection) -> Result<Self> {
        sqlx::query_as!(Self, "SELECT staging, publish FROM warehouse_versions")
            .fetch_one(connection)
            .await
            .map_err(failed)
    }
}

/// Collects the companies, the dirty company-days and the days of the build.
async fn begin_build(connection: &mut SqliteConnection, windows: &[DateWindow]) -> Result<()> {
    sqlx::query_file!("sql/preview/know_companies.sql").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!(
        "INSERT INTO dirty_company_days (company_id, first_day, last_day)
         SELECT company_id, first_day, last_day FROM main.dirty_company_days"
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(()) };
    build::collect_days(connection, first.start(), last.end()).await?;
    // Days between the windows are not asked for, and stay unpublished if they are.
    for pair in windows.windows(2) {
        let [before, after] = pair else { continue };
        let (from, to) = (before.end() + TimeDelta::days(1), after.start() - TimeDelta::days(1));
        sqlx::query!(
            "DELETE FROM fact_build_days WHERE is_new AND activity_date BETWEEN ?1 AND ?2",
            from,
            to
        )
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    }
    Ok(())
}

/// Computes companies chunk by chunk, and keeps of each chunk what `tally` does.
async fn build_chunks(
    connection: &mut SqliteConnection,
    tally: &mut PreviewTally,
    sample: u32,
    now: DateTime<Utc>,
    progress: ProgressSink,
) -> Result<()> {
    let bounds = sqlx::query!(
        r#"SELECT MIN(churn_from) AS "read_from: NaiveDate", MAX(activity_date) AS "last_day: NaiveDate"
           FROM fact_build_days"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let mut report = Progress {
        units_total: build::companies_to_build(connection).await?,
        activity: "computing companies".to_owned(),
        ..Progress::default()
    };
    let mut after = String::new();
    while let Some((last_company, companies)) = build::next_chunk(connection, &after).await? {
        sqlx::query_file!(
            "sql/preview/stage_chunk.sql",
            after,
            last_company,
            bounds.read_from,
            bounds.last_day
        )
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
        build::build_candidates(connection, &after, &last_company).await?;
        take_chunk(connection, tally, sample, now).await?;
        after = last_company;
        report.units_done += companies;
        progress(report.clone());
    }
    Ok(())
}

/// Counts a chunk's candidates and drops them, and the usage that they read.
async fn take_chunk(
    connection: &mut SqliteConnection,
    tally: &mut PreviewTally,
    sample: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    let counts = sqlx::query_file!("sql/preview/count_changes.sql")
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for row in counts {
        let counts =
            ChangeCounts { new: counted(row.new), changed: counted(row.changed), gone: counted(row.gone) };
        tally.count(row.day, counts);
    }
    let sampled = sqlx::query_file!("sql/preview/sample.sql", sample)
        .fetch_all(&mut *connection)
        .await
        .map_err(failed)?;
    for row in sampled {
        let kind = match row.change.as_str() {
            "CHANGED" => ChangeKind::Changed,
            "GONE" => ChangeKind::Gone,
            _ => ChangeKind::New,
        };
        let record = FactRecord {
            company_id: row.company_id,
            activity_date: row.activity_date,
            company_name: row.company_name,
            country: row.country,
            industry_tag: row.industry_tag,
            last_contact_at: row.last_contact_at,
            active_users: row.active_users,
            events: row.events,
            active_users_7d: row.active_users_7d,
            is_churn_risk: row.is_churn_risk,
            events_per_user: row.events_per_user,
            days_since_last_contact: row.days_since_last_contact,
            loaded_at: now,
        };
        tally.sample(kind, FactRow::try_from(record)?);
    }
    for key in tally.lacking_old() {
        published_row(connection, &key).await?.into_iter().for_each(|row| tally.set_old(row));
    }
    sqlx::query!("DELETE FROM fact_candidates").execute(&mut *connection).await.map_err(failed)?;
    sqlx::query!("DELETE FROM stg_product_usage").execute(connection).await.map_err(failed)?;
    Ok(())
}

/// How many rows each published day has.
async fn rows_of_days(
    connection: &mut SqliteConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<BTreeMap<NaiveDate, u64>> {
    let days = sqlx::query!(
        r#"SELECT activity_date AS "day: NaiveDate", row_count FROM published_days
           WHERE activity_date BETWEEN ?1 AND ?2"#,
        first,
        last
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    Ok(days.into_iter().map(|row| (row.day, counted(row.row_count))).collect())
}
