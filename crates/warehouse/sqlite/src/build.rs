//! Builds candidates, and measures them.

use std::{collections::BTreeSet, time::Instant};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use domain::{
    Counters, DateWindow, Progress,
    audit::{DayMeasurements, Measurements},
};
use sqlx::{Executor, SqliteConnection};
use warehouse_core::{
    Error, FactBuilder, Fence, ProgressSink, PublishOutcome, RunAudits, UnpublishedDays,
    engine::{VOLUME_DAYS, corrupt, counted},
};

use crate::{
    database::SqliteWarehouse, fault::Result, fence, publish, rebuild, retention, run_audits, run_rows, runs,
};

/// Companies per transaction: few enough that others can write in between.
const CHUNK_COMPANIES: i64 = 1_000;

#[async_trait]
impl FactBuilder for SqliteWarehouse {
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters, Error> {
        let began = Instant::now();
        self.write(async |connection| start_build(connection, fence, window).await).await?;
        let mut report = Progress {
            units_total: self.scan(companies_to_build).await?,
            activity: "computing companies".to_owned(),
            ..Progress::default()
        };
        let mut last_company = String::new();
        loop {
            // Each chunk in its own transaction.
            let chunk =
                self.write(async |connection| build_chunk(connection, fence, &last_company).await).await?;
            let Some((company, companies, counters)) = chunk else { break };
            last_company = company;
            report.counters += counters;
            report.units_done += companies;
            progress(report.clone());
        }
        self.write(async |connection| {
            fence::check(connection, fence).await?;
            runs::complete_stage(connection, fence, report.counters, &[], now + began.elapsed()).await?;
            Ok(report.counters)
        })
        .await
    }

    async fn measure_candidates(&self, fence: &Fence, _window: DateWindow) -> Result<Measurements, Error> {
        self.scan(async |connection| {
            fence::check(connection, fence).await?;
            publish::check_build_is_current(connection, fence).await?;
            measure(connection, fence).await
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
            publish::check_build_is_current(connection, fence).await?;
            let outcome = publish::publish(connection, fence, now).await?;
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

/// Discards earlier candidates, and records the state that these are built from.
async fn start_build(connection: &mut SqliteConnection, fence: &Fence, window: DateWindow) -> Result<()> {
    fence::check(connection, fence).await?;
    create_chunk_tables(connection).await?;
    sqlx::query!("DELETE FROM fact_candidates").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM fact_build_days").execute(&mut *connection).await?;
    let run = run_rows::load(connection, fence.run_id).await?;
    rebuild::mark(connection, &run.rebuild_days).await?;
    sqlx::query_file!("../sql/fact/start_build.sql", fence.run_id.hyphenated())
        .execute(&mut *connection)
        .await?;
    collect_days(connection, (window.start(), window.end()), &run.rebuild_days).await?;
    if run.is_from_staging() {
        rebuild::check_fetched(connection).await?;
    }
    Ok(())
}

/// Computes the next companies after `after`. Returns the last of them, their number,
/// and their counts; `None` if none are left.
async fn build_chunk(
    connection: &mut SqliteConnection,
    fence: &Fence,
    after: &str,
) -> Result<Option<(String, u64, Counters)>> {
    fence::check(connection, fence).await?;
    let Some((last_company, companies)) = choose_chunk(connection, after).await? else { return Ok(None) };
    sqlx::query_file!("sql/fact/stage_chunk.sql", after, last_company).execute(&mut *connection).await?;
    build_candidates(connection).await?;
    let counts = sqlx::query_file!("sql/fact/count_chunk.sql", after, last_company);
    let counts = counts.fetch_one(connection).await?;
    let counters = Counters {
        rows_read: counted(counts.computed)?,
        rows_written: counted(counts.computed - counts.equal)?,
        rows_unchanged: counted(counts.equal)?,
        ..Counters::default()
    };
    Ok(Some((last_company, companies, counters)))
}

/// Collects the days to build for a run over `start` to `end`, of which it rebuilds some.
pub(crate) async fn collect_days(
    connection: &mut SqliteConnection,
    (start, end): (NaiveDate, NaiveDate),
    rebuild_days: &BTreeSet<NaiveDate>,
) -> Result<()> {
    let rebuild_days = serde_json::to_string(rebuild_days).map_err(corrupt)?;
    sqlx::query_file!("sql/fact/collect_days.sql", start, end, rebuild_days).execute(connection).await?;
    Ok(())
}

/// How many companies the build has to examine.
pub(crate) async fn companies_to_build(connection: &mut SqliteConnection) -> Result<u64> {
    let count = sqlx::query_file_scalar!("sql/fact/companies_to_build.sql").fetch_one(connection).await?;
    Ok(counted(count)?)
}

/// Puts the next companies after `after` into `chunk_companies`. Returns the last of them,
/// and their number; `None` if none are left.
pub(crate) async fn choose_chunk(
    connection: &mut SqliteConnection,
    after: &str,
) -> Result<Option<(String, u64)>> {
    let chosen = sqlx::query_file!("sql/fact/choose_chunk.sql", after, CHUNK_COMPANIES);
    let companies = chosen.execute(&mut *connection).await?.rows_affected();
    let last = sqlx::query_scalar!(r#"SELECT MAX(company_id) AS "last: String" FROM chunk_companies"#);
    Ok(last.fetch_one(connection).await?.map(|last| (last, companies)))
}

/// Creates the connection's own tables for a chunk.
pub(crate) async fn create_chunk_tables(connection: &mut SqliteConnection) -> Result<()> {
    connection.execute(include_str!("../sql/fact/create_temporary.sql")).await?;
    Ok(())
}

/// Computes the companies in `chunk_companies` from their usage in `chunk_usage`, and
/// empties both.
pub(crate) async fn build_candidates(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query_file!("sql/fact/build_candidates.sql").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM chunk_usage").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM chunk_companies").execute(connection).await?;
    Ok(())
}

async fn measure(connection: &mut SqliteConnection, fence: &Fence) -> Result<Measurements> {
    let candidates = sqlx::query_file!("sql/fact/measure_candidates.sql").fetch_one(&mut *connection).await?;
    let mut days = Vec::new();
    for day in sqlx::query_file!("sql/fact/measure_days.sql").fetch_all(&mut *connection).await? {
        days.push(DayMeasurements {
            day: day.day,
            rows: counted(day.rows)?,
            expected_rows: counted(day.expected_rows)?,
            source_rows: counted(day.source_rows)?,
            recent_median_source_rows: recent_median(connection, day.day).await?,
        });
    }
    Ok(Measurements {
        null_company_ids: counted(candidates.null_company_ids)?,
        duplicate_keys: counted(candidates.duplicate_keys)?,
        negative_counts: counted(candidates.negative_counts)?,
        days,
        stages: run_rows::load(connection, fence.run_id).await?.into_finished_stages(),
    })
}

/// The median number of usage records of the published days shortly before.
async fn recent_median(connection: &mut SqliteConnection, day: NaiveDate) -> Result<Option<f64>> {
    let since = day - TimeDelta::days(VOLUME_DAYS.into());
    let counts = sqlx::query_file_scalar!("sql/fact/recent_volumes.sql", since, day);
    Ok(median(&counts.fetch_all(connection).await?))
}

#[expect(clippy::cast_precision_loss, reason = "a threshold needs no 53 bits")]
fn median(sorted: &[i64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(upper as f64, lower as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_between_the_middle_values() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(7.0));
        assert_eq!(median(&[1, 2, 10]), Some(2.0));
        assert_eq!(median(&[1, 2, 4, 10]), Some(3.0));
    }
}
