//! What a backfill would change, computed on temporary tables of one connection.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{DateWindow, FactRow, Progress, UsageRecord};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use warehouse_core::{
    BackfillPreview, ChangeCounts, ChangeKind, Error, PreviewOutcome, PreviewSession, PreviewTally,
    ProgressSink, RowStream, UsageLimits, days_between,
    engine::{corrupt, counted},
    fact_record, noted_after,
};

use crate::{
    activity::published_row,
    build::{self, BuildDays},
    database::{PostgresWarehouse, begin_write},
    fault::Result,
    incoming,
    lease::Lease,
    quarantine,
    usage::{self, Answer, UsageIncoming},
};

/// A preview in progress.
struct PostgresPreview {
    connection: Lease,
    windows: Vec<DateWindow>,
    /// The versions of staged and published data when it began.
    versions: Versions,
}

#[async_trait]
impl BackfillPreview for PostgresWarehouse {
    async fn begin_preview(&self, windows: &[DateWindow]) -> Result<Box<dyn PreviewSession>, Error> {
        Ok(Box::new(PostgresPreview::begin(self, windows).await?))
    }
}

#[async_trait]
impl PreviewSession for PostgresPreview {
    async fn add_usage_day(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<(), Error> {
        Ok(self.add(day, limits, rows).await?)
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

impl PostgresPreview {
    async fn begin(warehouse: &PostgresWarehouse, windows: &[DateWindow]) -> Result<Self> {
        let mut connection = warehouse.connect_export().await?;
        // Its temporary tables must not outlive the preview.
        connection.close_on_drop();
        // A build may take longer than a query, and ends with its caller.
        let unlimited = warehouse.connections.statement_limits().lift.clone();
        connection.execute(AssertSqlSafe(unlimited)).await?;
        // A statement prepared earlier would go on using the table that it found then.
        connection.clear_cached_statements().await?;
        let versions = Versions::read(&mut connection).await?;
        incoming::create_tables::<_, UsageIncoming>(&mut connection).await?;
        for script in [
            include_str!("../sql/preview/create_temporary.sql"),
            include_str!("../sql/preview/shadow_tables.sql"),
            // Exempts only temporary tables: a statement that misses its shadow fails
            // instead of writing.
            "SET default_transaction_read_only = on",
        ] {
            connection.execute(script).await?;
        }
        Ok(Self { connection, windows: windows.to_vec(), versions })
    }

    async fn add(
        &mut self,
        day: NaiveDate,
        limits: UsageLimits,
        rows: RowStream<'_, UsageRecord>,
    ) -> Result<()> {
        let mut transaction = begin_write(&mut self.connection).await?;
        let accepted = quarantine::accepted_words(&mut transaction, day).await?;
        let (rows, notes) = noted_after(rows, accepted);
        incoming::receive::<_, UsageIncoming>(&mut transaction, rows).await?;
        let received = notes.into_received();
        usage::drop_others(&mut transaction).await?;
        let answer = Answer::compare(&mut transaction, day, &received).await?;
        answer.compared.judge(day, &received, limits)?;
        if answer.changes > 0 {
            sqlx::query_file!("sql/preview/keep_differences.sql", day).execute(&mut *transaction).await?;
            usage::mark_dirty(&mut transaction, day).await?;
        }
        sqlx::query_file!("sql/preview/remember_day.sql", day).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    async fn compute(
        &mut self,
        sample: u32,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<PreviewOutcome> {
        let connection = &mut *self.connection;
        connection.execute(include_str!("../sql/preview/shadow_usage.sql")).await?;
        begin_build(connection, &self.windows).await?;
        let mut tally = PreviewTally::new(&self.windows, sample);
        let BuildDays { count, chunks } = build::days_to_build(connection).await?;
        let mut report =
            Progress { units_total: count, activity: "computing days".to_owned(), ..Progress::default() };
        for chunk in &chunks {
            // The end of the transaction empties the candidates.
            let mut transaction = begin_write(connection).await?;
            build::build_candidates(&mut transaction, chunk).await?;
            take_chunk(&mut transaction, &mut tally, sample, now).await?;
            transaction.commit().await?;
            report.units_done += chunk.days;
            progress(report.clone());
        }
        let rows_before = match tally.bounds() {
            Some((first, last)) => rows_of_days(connection, first, last).await?,
            None => BTreeMap::new(),
        };
        // Last, so that it covers every change since the beginning.
        let versions = Versions::read(connection).await?;
        Ok(tally.into_outcome(&rows_before, versions != self.versions))
    }
}

/// Counts of changes to staged and published data.
#[derive(Debug, PartialEq, Eq)]
struct Versions {
    staging: i64,
    publish: i64,
}

impl Versions {
    async fn read(connection: &mut PgConnection) -> Result<Self> {
        let versions = sqlx::query_as!(Self, "SELECT staging, publish FROM warehouse_versions");
        Ok(versions.fetch_one(connection).await?)
    }
}

/// Collects the companies, the dirty company-days and the days of the build.
async fn begin_build(connection: &mut PgConnection, windows: &[DateWindow]) -> Result<()> {
    sqlx::query_file!("sql/preview/know_companies.sql").execute(&mut *connection).await?;
    sqlx::query_file!("sql/preview/copy_dirty_days.sql").execute(&mut *connection).await?;
    if let (Some(first), Some(last)) = (windows.first(), windows.last()) {
        build::collect_days(connection, (first.start(), last.end()), &BTreeSet::new()).await?;
    }
    // Days between the windows are not requested; unpublished ones stay so.
    for (from, to) in days_between(windows) {
        sqlx::query_file!("../sql/preview/drop_new_days.sql", from, to).execute(&mut *connection).await?;
    }
    // Nothing else analyses temporary tables.
    connection
        .execute("ANALYZE usage_differences, known_companies, dirty_company_days, fact_build_days")
        .await?;
    Ok(())
}

/// Adds a chunk's candidates to `tally`, which keeps what it needs.
async fn take_chunk(
    connection: &mut PgConnection,
    tally: &mut PreviewTally,
    sample: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    for row in sqlx::query_file!("sql/preview/count_changes.sql").fetch_all(&mut *connection).await? {
        let (new, changed, gone) = (counted(row.new)?, counted(row.changed)?, counted(row.gone)?);
        tally.count(row.day, ChangeCounts { new, changed, gone });
    }
    for row in
        sqlx::query_file!("../sql/preview/sample.sql", i64::from(sample)).fetch_all(&mut *connection).await?
    {
        let kind = ChangeKind::parse(&row.change).ok_or_else(|| corrupt(row.change))?;
        tally.sample(kind, FactRow::try_from(fact_record!(row, now))?);
    }
    for key in tally.lacking_old() {
        published_row(connection, &key).await?.into_iter().for_each(|row| tally.set_old(row));
    }
    Ok(())
}

/// How many rows each published day has.
async fn rows_of_days(
    connection: &mut PgConnection,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<BTreeMap<NaiveDate, u64>> {
    let days =
        sqlx::query_file!("../sql/preview/rows_of_days.sql", first, last).fetch_all(connection).await?;
    days.into_iter().map(|row| Ok((row.day, counted(row.row_count)?))).collect()
}
