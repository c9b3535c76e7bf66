//! Building candidates.

use std::{collections::BTreeSet, time::Instant};

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{Counters, DateWindow, Progress, audit::Measurements, usage::CHURN_DAYS};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::{Executor, PgConnection};
use warehouse_core::{
    Error, FactBuilder, Fence, ProgressSink, PublishOutcome, RunAudits, UnpublishedDays, engine::counted,
};

use crate::{
    candidate_months, database::PostgresWarehouse, fault::Result, fence, locks::Lock, measure, publish,
    rebuild, retention, run_audits, run_rows, runs,
};

/// The most company-days computed per transaction, unless a single day has more: few
/// enough to report progress several times a minute.
const CHUNK_COMPANY_DAYS: u64 = 3_200_000;

/// The most days computed per transaction. Each chunk also reads the 13 days before it;
/// beyond a month there is little to gain.
const CHUNK_DAYS: u64 = 31;

/// The most chunks computed concurrently.
const CONCURRENT_CHUNKS: u32 = 3;

#[async_trait]
impl FactBuilder for PostgresWarehouse {
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters, Error> {
        let began = Instant::now();
        self.write(async |connection| start_build(connection, fence, window).await).await?;
        let days = self.scan(days_to_build).await?;
        let mut report = Progress {
            units_total: days.count,
            activity: "computing days".to_owned(),
            ..Progress::default()
        };
        let mut chunks = stream::iter(days.chunks)
            .map(|chunk| self.build_chunk(fence, chunk))
            .buffer_unordered(self.concurrent_chunks());
        while let Some((days, counters)) = chunks.try_next().await? {
            report.counters += counters;
            report.units_done += days;
            progress(report.clone());
        }
        drop(chunks);
        let months = self.scan(candidate_months::to_complete).await?;
        if !months.is_empty() {
            progress(Progress { activity: "indexing new months".to_owned(), ..report.clone() });
            self.complete_months(fence, months).await?;
        }
        self.write(async |connection| {
            fence::hold(connection, fence).await?;
            runs::complete_stage(connection, fence, report.counters, &[], now + began.elapsed()).await?;
            Ok(report.counters)
        })
        .await
    }

    async fn measure_candidates(&self, fence: &Fence, _window: DateWindow) -> Result<Measurements, Error> {
        self.scan(async |connection| {
            measure::keep_candidates(connection).await?;
            fence::check(connection, fence).await?;
            publish::check_build_is_current(connection, fence).await?;
            measure::measure(connection, fence).await
        })
        .await
    }

    async fn record_audits(&self, fence: &Fence, audits: &RunAudits) -> Result<(), Error> {
        self.write(async |connection| run_audits::record(connection, fence, audits).await).await
    }

    async fn publish_fact(
        &self,
        fence: &Fence,
        _window: DateWindow,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<PublishOutcome, Error> {
        let began = Instant::now();
        self.write(async |connection| {
            fence::check(connection, fence).await?;
            Lock::Candidates.take(connection).await?;
            publish::lock_versions(connection).await?;
            publish::check_build_is_current(connection, fence).await?;
            let outcome = publish::publish(connection, fence, now).await?;
            fence::hold(connection, fence).await?;
            let ended = now + began.elapsed();
            runs::complete_stage(connection, fence, outcome.counters, remarks, ended).await?;
            Ok(outcome)
        })
        .await
    }

    async fn unpublish_days(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> Result<UnpublishedDays, Error> {
        self.write(async |connection| retention::unpublish_days(connection, fence, window, now).await).await
    }
}

/// Days of a build, in the order of computation.
pub(crate) struct BuildDays {
    pub(crate) count: u64,
    pub(crate) chunks: Vec<Chunk>,
}

/// Days of one kind that one transaction computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    first: NaiveDate,
    last: NaiveDate,
    /// How many days to compute between the two, inclusive.
    pub(crate) days: u64,
    /// Whether the days are new, so that every company is computed. Published days
    /// compute only what is dirty.
    is_new: bool,
}

impl PostgresWarehouse {
    /// How many chunks to compute concurrently: most connections stay free for others.
    pub(crate) fn concurrent_chunks(&self) -> usize {
        (self.connections.limit() / 3).clamp(1, CONCURRENT_CHUNKS) as usize
    }

    /// Computes a chunk's days in its own transaction. Returns the number of days.
    async fn build_chunk(&self, fence: &Fence, chunk: Chunk) -> Result<(u64, Counters), Error> {
        self.write(async |connection| {
            hold_candidates(connection, fence).await?;
            let computed = build_candidates(connection, &chunk).await?;
            let equal = count_equal(connection, &chunk).await?;
            fence::hold(connection, fence).await?;
            let counters = Counters {
                rows_read: computed,
                rows_written: computed - equal,
                rows_unchanged: equal,
                ..Counters::default()
            };
            Ok((chunk.days, counters))
        })
        .await
    }
}

/// Keeps the run's candidates from being discarded until the caller's transaction ends.
/// Others of the build may hold them as well.
pub(crate) async fn hold_candidates(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    fence::check(connection, fence).await?;
    Lock::Candidates.share(connection).await?;
    let is_own = sqlx::query_file_scalar!("sql/fact/has_build.sql", fence.run_id);
    if is_own.fetch_one(connection).await? {
        return Ok(());
    }
    let problem = format!(
        "the candidates of run {} were discarded by another run that builds now: retry the run",
        fence.run_id
    );
    Err(Error::Precondition(problem).into())
}

/// Discards earlier candidates, and records the state that these are built from.
async fn start_build(connection: &mut PgConnection, fence: &Fence, window: DateWindow) -> Result<()> {
    fence::check(connection, fence).await?;
    Lock::Candidates.take(connection).await?;
    candidate_months::discard(connection).await?;
    let run = run_rows::load(connection, fence.run_id).await?;
    rebuild::mark(connection, &run.rebuild_days).await?;
    sqlx::query_file!("../sql/fact/start_build.sql", fence.run_id).execute(&mut *connection).await?;
    collect_days(connection, (window.start(), window.end()), &run.rebuild_days).await?;
    if run.is_from_staging() {
        rebuild::check_fetched(connection).await?;
    }
    connection.execute("SELECT create_candidate_months()").await?;
    // The amount of dirty data decides the join, and no ANALYZE may have run yet.
    connection.execute("SELECT analyze_build()").await?;
    fence::hold(connection, fence).await
}

/// Collects the days to build for a run over `start` to `end`, of which it rebuilds some.
pub(crate) async fn collect_days(
    connection: &mut PgConnection,
    (start, end): (NaiveDate, NaiveDate),
    rebuild_days: &BTreeSet<NaiveDate>,
) -> Result<()> {
    let rebuild_days: Vec<NaiveDate> = rebuild_days.iter().copied().collect();
    sqlx::query_file!("sql/fact/collect_days.sql", start, end, &rebuild_days).execute(connection).await?;
    Ok(())
}

/// The collected days, in chunks.
pub(crate) async fn days_to_build(connection: &mut PgConnection) -> Result<BuildDays> {
    let rows = sqlx::query_file!("sql/fact/days_to_build.sql").fetch_all(connection).await?;
    let companies = rows.first().map_or(Ok(1), |row| counted(row.companies))?.max(1);
    let span = (CHUNK_COMPANY_DAYS / companies).clamp(1, CHUNK_DAYS);
    let of_kind = |is_new| rows.iter().filter(move |row| row.is_new == is_new).map(|row| row.activity_date);
    let chunks = [chunks(of_kind(true), span, true), chunks(of_kind(false), span, false)].concat();
    Ok(BuildDays { count: chunks.iter().map(|chunk| chunk.days).sum(), chunks })
}

/// Computes a chunk's days within the caller's transaction. Returns the number of their
/// candidates.
pub(crate) async fn build_candidates(connection: &mut PgConnection, chunk: &Chunk) -> Result<u64> {
    let Chunk { first, last, .. } = *chunk;
    let read_from = first.checked_sub_days(Days::new(CHURN_DAYS - 1)).unwrap_or(NaiveDate::MIN);
    // Sorts and joins a chunk in memory rather than on disk.
    connection.execute("SET LOCAL work_mem = '128MB'").await?;
    let built = match chunk {
        Chunk { is_new: false, .. } => {
            sqlx::query_file!("sql/fact/build_dirty.sql", first, last, read_from).execute(connection).await
        }
        Chunk { days: 1, .. } => {
            sqlx::query_file!("sql/fact/build_new_day.sql", first, read_from).execute(connection).await
        }
        _ => {
            sqlx::query_file!("sql/fact/build_new_days.sql", first, last, read_from).execute(connection).await
        }
    };
    Ok(built?.rows_affected())
}

/// How many of a chunk's candidates equal the published rows; none for new days.
async fn count_equal(connection: &mut PgConnection, chunk: &Chunk) -> Result<u64> {
    if chunk.is_new {
        return Ok(0);
    }
    let equal = sqlx::query_file_scalar!("sql/fact/count_equal.sql", chunk.first, chunk.last);
    Ok(counted(equal.fetch_one(connection).await?)?)
}

/// Groups ordered days of one kind so that no group spans more than `span` calendar days.
fn chunks(days: impl Iterator<Item = NaiveDate>, span: u64, is_new: bool) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for day in days {
        match chunks.last_mut() {
            Some(chunk) if (day - chunk.first).num_days().unsigned_abs() < span => {
                chunk.last = day;
                chunk.days += 1;
            }
            _ => chunks.push(Chunk { first: day, last: day, days: 1, is_new }),
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        domain::date_window::parse_day(text).unwrap()
    }

    #[test]
    fn a_chunk_spans_calendar_days_whether_they_are_built_or_not() {
        let days = ["2026-01-30", "2026-02-01", "2026-02-02", "2026-05-01"].map(day);
        let chunks = |days: &[NaiveDate], span| chunks(days.iter().copied(), span, true);
        let chunk = |first, last, days| Chunk { first: day(first), last: day(last), days, is_new: true };
        let (alone, end) = (chunk("2026-05-01", "2026-05-01", 1), chunk("2026-02-02", "2026-02-02", 1));
        assert_eq!(chunks(&days, 4), [chunk("2026-01-30", "2026-02-02", 3), alone]);
        let alone = chunk("2026-05-01", "2026-05-01", 1);
        assert_eq!(chunks(&days, 3), [chunk("2026-01-30", "2026-02-01", 2), end, alone]);
        assert_eq!(chunks(&[], 4), []);
    }
}
