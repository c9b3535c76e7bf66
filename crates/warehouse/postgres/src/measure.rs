//! Measures what publishing the candidates would leave behind.

use domain::audit::{DayMeasurements, Measurements};
use sqlx::{Executor, PgConnection};
use warehouse_core::{
    Fence,
    engine::{VOLUME_DAYS, counted},
};

use crate::{fault::Result, run_rows};

/// Keeps the candidates until the caller's transaction ends. An emptied table is empty
/// even for readers of an older state, so call this before the transaction's first
/// read.
pub(crate) async fn keep_candidates(connection: &mut PgConnection) -> Result<()> {
    connection.execute("LOCK TABLE fact_candidates, fact_build_days IN ACCESS SHARE MODE").await?;
    Ok(())
}

/// Measures the candidates.
pub(crate) async fn measure(connection: &mut PgConnection, fence: &Fence) -> Result<Measurements> {
    let candidates = sqlx::query_file!("sql/fact/measure_candidates.sql").fetch_one(&mut *connection).await?;
    Ok(Measurements {
        null_company_ids: counted(candidates.null_company_ids)?,
        duplicate_keys: counted(candidates.duplicate_keys)?,
        negative_counts: counted(candidates.negative_counts)?,
        days: measure_days(connection).await?,
        stages: run_rows::load(connection, fence.run_id).await?.into_finished_stages(),
    })
}

async fn measure_days(connection: &mut PgConnection) -> Result<Vec<DayMeasurements>> {
    let bounds = sqlx::query_file!("sql/fact/build_bounds.sql").fetch_one(&mut *connection).await?;
    let (Some(read_from), Some(last_day)) = (bounds.read_from, bounds.last_day) else { return Ok(vec![]) };
    let days = sqlx::query_file!("sql/fact/measure_days.sql", read_from, last_day, VOLUME_DAYS);
    let days = days.fetch_all(connection).await?.into_iter().map(|day| {
        Ok(DayMeasurements {
            day: day.day,
            rows: counted(day.rows)?,
            expected_rows: counted(day.expected_rows)?,
            source_rows: counted(day.source_rows)?,
            recent_median_source_rows: day.recent_median,
        })
    });
    days.collect()
}
