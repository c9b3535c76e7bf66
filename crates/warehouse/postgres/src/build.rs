//! Building candidates.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveDate, Utc};
use domain::{Counters, DateWindow, Progress, audit::Measurements, usage::CHURN_DAYS};
use sqlx::{Executor, PgConnection};
use warehouse_core::{Error, FactBuilder, Fence, ProgressSink, PublishOutcome, Result};

use crate::{
    PostgresWarehouse,
    database::{counted, failed},
    fence,
    locks::Lock,
    measure, publish, runs,
};

/// Company-days a transaction computes at most, a single day aside: few enough
/// for progress to be told every few seconds.
const CHUNK_COMPANY_DAYS: u64 = 1_500_000;

/// Days a transaction computes at most. Each chunk also reads the 13 days before
/// it; beyond a month little is gained.
const CHUNK_DAYS: u64 = 31;

#[async_trait]
impl FactBuilder for PostgresWarehouse {
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters> {
        let began = Instant::now();
        self.start_build(fence, window).await?;
        let days = days_to_build(&mut *self.begin_read().await?).await?;
        let mut report = Progress {
            units_total: days.count,
            activity: "computing days".to_owned(),
            ..Progress::default()
        };
        for chunk in &days.chunks {
            report.counters += self.build_chunk(fence, chunk).await?;
            report.units_done += chunk.days;
            progress(report.clone());
        }
        let mut transaction = self.begin_write().await?;
        fence::hold(&mut transaction, fence).await?;
        runs::complete_stage(&mut transaction, fence, report.counters, &[], now + began.elapsed()).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(report.counters)
    }

    async fn measure_candidates(&self, fence: &Fence, _window: DateWindow) -> Result<Measurements> {
        let mut transaction = self.begin_read().await?;
        measure::keep_candidates(&mut transaction).await?;
        fence::check(&mut transaction, fence).await?;
        publish::check_build_is_current(&mut transaction, fence).await?;
        measure::measure(&mut transaction, fence).await
    }

    async fn publish_fact(
        &self,
        fence: &Fence,
        _window: DateWindow,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<PublishOutcome> {
        let began = Instant::now();
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        Lock::Candidates.take(&mut transaction).await?;
        publish::lock_versions(&mut transaction).await?;
        publish::check_build_is_current(&mut transaction, fence).await?;
        let outcome = publish::publish(&mut transaction, fence, now).await?;
        fence::hold(&mut transaction, fence).await?;
        runs::complete_stage(&mut transaction, fence, outcome.counters, remarks, now + began.elapsed())
            .await?;
        transaction.commit().await.map_err(failed)?;
        Ok(outcome)
    }
}

/// Days of a build in the order in which they are computed.
pub(crate) struct BuildDays {
    pub(crate) count: u64,
    pub(crate) chunks: Vec<Chunk>,
}

/// Days that one transaction computes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    first: NaiveDate,
    last: NaiveDate,
    /// Those between, and including, the two that are to be computed.
    pub(crate) days: u64,
}

impl PostgresWarehouse {
    /// Discards earlier candidates, and notes the state that these are built from.
    async fn start_build(&self, fence: &Fence, window: DateWindow) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        fence::check(connection, fence).await?;
        Lock::Candidates.take(connection).await?;
        connection.execute("TRUNCATE fact_candidates, fact_build_days").await.map_err(failed)?;
        sqlx::query_file!("sql/fact/start_build.sql", fence.run_id)
            .execute(&mut *connection)
            .await
            .map_err(failed)?;
        collect_days(connection, window.start(), window.end()).await?;
        fence::hold(connection, fence).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Computes a chunk's days in a transaction of their own.
    async fn build_chunk(&self, fence: &Fence, chunk: &Chunk) -> Result<Counters> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        fence::check(connection, fence).await?;
        Lock::Candidates.take(connection).await?;
        let is_own = sqlx::query_file_scalar!("sql/fact/has_build.sql", fence.run_id)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        if !is_own {
            return Err(Error::Precondition(format!(
                "the candidates of run {} were discarded by another run that builds now: retry the run",
                fence.run_id
            )));
        }
        build_candidates(connection, chunk).await?;
        let counts = sqlx::query_file!("sql/fact/count_candidates.sql", chunk.first, chunk.last)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
        fence::hold(connection, fence).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(Counters {
            rows_read: counted(counts.computed),
            rows_written: counted(counts.computed - counts.equal),
            rows_unchanged: counted(counts.equal),
            ..Counters::default()
        })
    }
}

/// Collects the days to build for a run over `start` to `end`.
pub(crate) async fn collect_days(
    connection: &mut PgConnection,
    start: NaiveDate,
    end: NaiveDate,
) -> Result<()> {
    sqlx::query_file!("sql/fact/collect_days.sql", start, end).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// The days that were collected, in chunks.
pub(crate) async fn days_to_build(connection: &mut PgConnection) -> Result<BuildDays> {
    let rows = sqlx::query_file!("sql/fact/days_to_build.sql").fetch_all(connection).await.map_err(failed)?;
    let companies = rows.first().map_or(1, |row| counted(row.companies).max(1));
    let days: Vec<NaiveDate> = rows.iter().map(|row| row.activity_date).collect();
    let span = (CHUNK_COMPANY_DAYS / companies).clamp(1, CHUNK_DAYS);
    let chunks = chunks(&days, span);
    Ok(BuildDays { count: chunks.iter().map(|chunk| chunk.days).sum(), chunks })
}

/// Computes a chunk's days within the caller's transaction.
pub(crate) async fn build_candidates(connection: &mut PgConnection, chunk: &Chunk) -> Result<()> {
    let read_from = chunk.first.checked_sub_days(Days::new(CHURN_DAYS - 1)).unwrap_or(NaiveDate::MIN);
    // A chunk is sorted and joined in memory rather than on disk.
    connection.execute("SET LOCAL work_mem = '128MB'").await.map_err(failed)?;
    sqlx::query_file!("sql/fact/build_candidates.sql", chunk.first, chunk.last, read_from)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Groups days, which are in order, so that no group spans more than `span` calendar days.
fn chunks(days: &[NaiveDate], span: u64) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    for day in days {
        match chunks.last_mut() {
            Some(chunk) if (*day - chunk.first).num_days().unsigned_abs() < span => {
                chunk.last = *day;
                chunk.days += 1;
            }
            _ => chunks.push(Chunk { first: *day, last: *day, days: 1 }),
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
        let chunk = |first, last, days| Chunk { first: day(first), last: day(last), days };
        let (alone, end) = (chunk("2026-05-01", "2026-05-01", 1), chunk("2026-02-02", "2026-02-02", 1));
        assert_eq!(chunks(&days, 4), [chunk("2026-01-30", "2026-02-02", 3), alone]);
        let alone = chunk("2026-05-01", "2026-05-01", 1);
        assert_eq!(chunks(&days, 3), [chunk("2026-01-30", "2026-02-01", 2), end, alone]);
        assert_eq!(chunks(&[], 4), []);
    }
}
