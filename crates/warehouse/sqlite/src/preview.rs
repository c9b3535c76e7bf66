//! What a backfill would change, computed on temporary tables of one connection.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, FactRow, Progress, UsageRecord};
use sqlx::{Connection, Executor, SqliteConnection};
use warehouse_core::{
    BackfillPreview, ChangeCounts, ChangeKind, Error, PreviewOutcome, PreviewSession, PreviewTally,
    ProgressSink, RowStream, UsageLimits, days_between,
    engine::{corrupt, counted},
    fact_record, noted_after,
};

use crate::{
    activity::published_row,
    build,
    database::SqliteWarehouse,
    fault::Result,
    incoming, quarantine,
    reader::Reader,
    shadow::shadow,
    usage::{self, Answer, UsageIncoming},
};

/// Tables that a day's answer passes through.
const INCOMING: [&str; 3] = ["usage_incoming", "usage_changes", "dirty_company_days"];

/// Tables that a build reads or writes, besides the dirty company-days.
const BUILD: [&str; 3] = ["known_companies", "fact_build_days", "fact_candidates"];

/// A preview in progress.
struct SqlitePreview {
    connection: Reader,
    windows: Vec<DateWindow>,
    /// The versions of staged and published data when it began.
    versions: Versions,
}

#[async_trait]
impl BackfillPreview for SqliteWarehouse {
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>, Error> {
        Ok(Box::new(SqlitePreview::begin(self, windows).await?))
    }
}

#[async_trait]
impl PreviewSession for SqlitePreview {
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<(), Error> {
        self.add(day, limits, rows).await?
    }

    async fn finish(
        mut self: Box<Self>,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome, Error> {
        Ok(self.compute(sample, now, progress).await?)
    }
}

impl SqlitePreview {
    async fn begin(warehouse: &SqliteWarehouse, windows: &[DateWindow]) -> Result<Self> {
        let mut connection = warehouse.export_reader().await?;
        // Its temporary tables must not outlive the preview.
        connection.close_on_drop();
        // A statement prepared earlier would go on using the table that it found then.
        connection.clear_cached_statements().await?;
        let versions = Versions::read(&mut connection).await?;
        shadow(&mut connection, &INCOMING).await?;
        for script in [
            include_str!("../sql/preview/create_temporary.sql"),
            include_str!("../sql/preview/shadow_usage_days.sql"),
        ] {
            connection.execute(script).await?;
        }
        Ok(Self { connection, windows: windows.to_vec(), versions })
    }

    /// Returns whether the answer is accepted.
    async fn add(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<Result<(), Error>> {
        let connection = &mut *self.connection;
        // Outside the transaction, because a slow source would keep the WAL from being truncated.
        let accepted = quarantine::accepted_words(connection, day).await?;
        let (rows, notes) = noted_after(rows, accepted);
        incoming::read_staged::<_, UsageIncoming>(connection, rows).await?;
        let received = notes.into_received();
        let mut transaction = connection.begin().await?;
        usage::drop_others(&mut transaction).await?;
        let answer = Answer::compare(&mut transaction, day, &received).await?;
        let judged = answer.compared.judge(day, &received, limits);
        if judged.is_ok() {
            keep_answer(&mut transaction, day, &answer).await?;
        }
        usage::clear_incoming(&mut transaction).await?;
        transaction.commit().await?;
        Ok(judged)
    }

    async fn compute(
        &mut self,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome> {
        shadow(&mut self.connection, &BUILD).await?;
        build::create_chunk_tables(&mut self.connection).await?;
        let mut transaction = self.connection.begin().await?;
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

/// Records how an answer differs from staged usage, and that its day is known.
async fn keep_answer(connection: &mut SqliteConnection, day: NaiveDate, answer: &Answer) -> Result<()> {
    if answer.changes > 0 {
        sqlx::query_file!("sql/preview/keep_differences.sql", day).execute(&mut *connection).await?;
        usage::mark_dirty(connection, day).await?;
    }
    sqlx::query_file!("sql/preview/remember_day.sql", day).execute(connection).await?;
    Ok(())
}

/// Counts of changes to staged and published data.
#[derive(Debug, PartialEq, Eq)]
struct Versions {
    staging: i64,
    publish: i64,
}

impl Versions {
    async fn read(connection: &mut SqliteConnection) -> Result<Self> {
        let versions = sqlx::query_as!(Self, "SELECT staging, publish FROM warehouse_versions");
        Ok(versions.fetch_one(connection).await?)
    }
}

/// Collects the companies, the dirty company-days and the days of the build.
async fn begin_build(connection: &mut SqliteConnection, windows: &[DateWindow]) -> Result<()> {
    sqlx::query_file!("sql/preview/know_companies.sql").execute(&mut *connection).await?;
    sqlx::query_file!("sql/preview/copy_dirty_days.sql").execute(&mut *connection).await?;
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(()) };
    build::collect_days(connection, (first.start(), last.end()), &BTreeSet::new()).await?;
    // Days between the windows are not requested; unpublished ones stay so.
    for (from, to) in days_between(windows) {
        sqlx::query_file!("../sql/preview/drop_new_days.sql", from, to).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Computes companies chunk by chunk, and adds each chunk to `tally`.
async fn build_chunks(
    connection: &mut SqliteConnection,
    tally: &mut PreviewTally,
    sample: u32,
    now: DateTime<Utc>,
    progress: ProgressSink,
) -> Result<()> {
    let bounds = sqlx::query_file!("sql/preview/build_bounds.sql").fetch_one(&mut *connection).await?;
    let mut report = Progress {
        units_total: build::companies_to_build(connection).await?,
        activity: "computing companies".to_owned(),
        ..Progress::default()
    };
    let mut after = String::new();
    while let Some((last_company, companies)) = build::choose_chunk(connection, &after).await? {
        sqlx::query_file!("sql/preview/stage_chunk.sql", bounds.read_from, bounds.last_day)
            .execute(&mut *connection)
            .await?;
        build::build_candidates(connection).await?;
        take_chunk(connection, tally, sample, now).await?;
        after = last_company;
        report.units_done += companies;
        progress(report.clone());
    }
    Ok(())
}

/// Counts a chunk's candidates, then drops them.
async fn take_chunk(
    connection: &mut SqliteConnection,
    tally: &mut PreviewTally,
    sample: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    for row in sqlx::query_file!("sql/preview/count_changes.sql").fetch_all(&mut *connection).await? {
        let (new, changed, gone) = (counted(row.new)?, counted(row.changed)?, counted(row.gone)?);
        tally.count(row.day, ChangeCounts { new, changed, gone });
    }
    for row in sqlx::query_file!("../sql/preview/sample.sql", sample).fetch_all(&mut *connection).await? {
        let kind = ChangeKind::parse(&row.change).ok_or_else(|| corrupt(row.change))?;
        tally.sample(kind, FactRow::try_from(fact_record!(row, now))?);
    }
    for key in tally.lacking_old() {
        published_row(connection, &key).await?.into_iter().for_each(|row| tally.set_old(row));
    }
    sqlx::query!("DELETE FROM fact_candidates").execute(connection).await?;
    Ok(())
}

/// How many rows each published day has.
async fn rows_of_days(
    connection: &mut SqliteConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<BTreeMap<NaiveDate, u64>> {
    let days =
        sqlx::query_file!("../sql/preview/rows_of_days.sql", first, last).fetch_all(connection).await?;
    days.into_iter().map(|row| Ok((row.day, counted(row.row_count)?))).collect()
}
