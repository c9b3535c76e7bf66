//! Building candidates, and measuring them.

use std::time::Instant;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    Counters, DateWindow, Progress,
    audit::{DayMeasurements, Measurements},
};
use sqlx::SqliteConnection;
use warehouse_core::{FactBuilder, Fence, ProgressSink, PublishOutcome, Result};

use crate::{
    SqliteWarehouse,
    database::{counted, failed},
    fence, publish, runs,
};

/// Companies a transaction: few enough that others get to write in between.
const CHUNK_COMPANIES: i64 = 1_000;

/// Days before a day whose volume its own is compared with: whole weeks, so that
/// every weekday weighs the same.
const VOLUME_DAYS: i64 = 28;

#[async_trait]
impl FactBuilder for SqliteWarehouse {
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters> {
        let began = Instant::now();
        self.start_build(fence, window).await?;
        let total = companies_to_build(&mut *self.begin_read().await?).await?;
        let mut last_company = String::new();
        let mut report = Progress {
            units_total: total,
            activity: "computing companies".to_owned(),
            ..Progress::default()
        };
        while let Some((company, companies, counters)) = self.build_chunk(fence, &last_company).await? {
            last_company = company;
            report.counters += counters;
            report.units_done += companies;
            progress(report.clone());
        }
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        runs::complete_stage(&mut transaction, fence, report.counters, &[], now + began.elapsed()).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(report.counters)
    }

    async fn measure_candidates(&self, fence: &Fence, _window: DateWindow) -> Result<Measurements> {
        let mut transaction = self.begin_read().await?;
        fence::check(&mut transaction, fence).await?;
        publish::check_build_is_current(&mut transaction, fence).await?;
        measure(&mut transaction, fence).await
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
        publish::check_build_is_current(&mut transaction, fence).await?;
        let outcome = publish::publish(&mut transaction, fence, now).await?;
        runs::complete_stage(&mut transaction, fence, outcome.counters, remarks, now + began.elapsed())
            .await?;
        transaction.commit().await.map_err(failed)?;
        Ok(outcome)
    }
}

impl SqliteWarehouse {
    /// Discards earlier candidates, and notes the state that these are built from.
    async fn start_build(&self, fence: &Fence, window: DateWindow) -> Result<()> {
        let run_id = fence.run_id.to_string();
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        fence::check(connection, fence).await?;
        sqlx::query!("DELETE FROM fact_candidates").execute(&mut *connection).await.map_err(failed)?;
        sqlx::query!("DELETE FROM fact_build_days").execute(&mut *connection).await.map_err(failed)?;
        sqlx::query!(
            "INSERT OR REPLACE INTO fact_build (id, run_id, staging_version, publish_version, last_dirty_change)
             SELECT 1, ?1, staging, publish, COALESCE((SELECT MAX(change_id) FROM dirty_company_days), 0)
             FROM warehouse_versions",
            run_id
        )
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
        collect_days(connection, window.start(), window.end()).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Computes the next companies after `after` in a transaction of their own.
    /// Returns the last of them, how many they are, and their counts; `None` if
    /// none are left.
    async fn build_chunk(&self, fence: &Fence, after: &str) -> Result<Option<(String, u64, Counters)>> {
        let mut transaction = self.begin_write().await?;
        let connection = &mut *transaction;
        fence::check(connection, fence).await?;
        let Some((last_company, companies)) = next_chunk(connection, after).await? else { return Ok(None) };
        build_candidates(connection, after, &last_company).await?;
        let counts = sqlx::query!(
            r#"SELECT COUNT(*) AS "computed!: i64", COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!: i64"
               FROM fact_candidates WHERE company_id > ?1 AND company_id <= ?2"#,
            after,
            last_company
        )
        .fetch_one(connection)
        .await
        .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        let counters = Counters {
            rows_read: counted(counts.computed),
            rows_written: counted(counts.computed - counts.equal),
            rows_unchanged: counted(counts.equal),
            ..Counters::default()
        };
        Ok(Some((last_company, companies, counters)))
    }
}

/// Collects the days to build for a run over `start` to `end`.
pub(crate) async fn collect_days(
    connection: &mut SqliteConnection,
    start: NaiveDate,
    end: NaiveDate,
) -> Result<()> {
    sqlx::query_file!("sql/fact/collect_days.sql", start, end).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// How many companies the build has to look at.
pub(crate) async fn companies_to_build(connection: &mut SqliteConnection) -> Result<u64> {
    let count = sqlx::query_file_scalar!("sql/fact/companies_to_build.sql")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(counted(count))
}

/// The last of the next companies after `after`, and how many they are; `None`
/// if none are left.
pub(crate) async fn next_chunk(
    connection: &mut SqliteConnection,
    after: &str,
) -> Result<Option<(String, u64)>> {
    let chunk = sqlx::query_file!("sql/fact/next_company_chunk.sql", after, CHUNK_COMPANIES)
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(chunk.last_company.map(|last| (last, counted(chunk.companies))))
}

/// Computes the companies after `after` up to `last`.
pub(crate) async fn build_candidates(
    connection: &mut SqliteConnection,
    after: &str,
    last: &str,
) -> Result<()> {
    sqlx::query_file!("sql/fact/build_candidates.sql", after, last)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

async fn measure(connection: &mut SqliteConnection, fence: &Fence) -> Result<Measurements> {
    let candidates = sqlx::query_file!("sql/fact/measure_candidates.sql")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed)?;
    let days =
        sqlx::query_file!("sql/fact/measure_days.sql").fetch_all(&mut *connection).await.map_err(failed)?;
    let mut measured = Measurements {
        null_company_ids: counted(candidates.null_company_ids),
        duplicate_keys: counted(candidates.duplicate_keys),
        negative_counts: counted(candidates.negative_counts),
        days: Vec::with_capacity(days.len()),
        stages: runs::finished_stages(connection, fence.run_id).await?,
    };
    for day in days {
        measured.days.push(DayMeasurements {
            day: day.day,
            rows: counted(day.rows),
            expected_rows: counted(day.expected_rows),
            source_rows: counted(day.source_rows),
            recent_median_source_rows: recent_median(connection, day.day).await?,
        });
    }
    Ok(measured)
}

/// The median number of usage records of the published days shortly before.
async fn recent_median(connection: &mut SqliteConnection, day: NaiveDate) -> Result<Option<f64>> {
    let since = day - chrono::TimeDelta::days(VOLUME_DAYS);
    let counts = sqlx::query_scalar!(
        "SELECT records FROM usage_days JOIN published_days ON activity_date = date
         WHERE date >= ?1 AND date < ?2 ORDER BY records",
        since,
        day
    )
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    Ok(median(&counts))
}

#[allow(clippy::cast_precision_loss, reason = "a threshold needs no 53 bits")]
fn median(sorted: &[i64]) -> Option<f64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some((upper as f64 + lower as f64) / 2.0)
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
