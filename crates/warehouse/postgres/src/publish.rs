//! Publishing candidates, within one transaction of the caller's.

use chrono::{DateTime, NaiveDate, Utc};
use domain::Counters;
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{Error, Fence, PublishOutcome, Result};

use crate::database::{counted, failed, stored};

/// Keeps loads and publishes from changing what is staged and published until
/// the caller's transaction ends.
pub(crate) async fn lock_versions(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT id FROM warehouse_versions FOR UPDATE")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Checks that the candidates are this run's, and that neither staging nor what
/// is published has changed since they were built.
pub(crate) async fn check_build_is_current(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    if has_current_build(connection, fence.run_id).await? {
        return Ok(());
    }
    Err(Error::Precondition(format!(
        "the candidates of run {} are out of date: something was loaded or published since they were built; \
         retry the run, which builds them again",
        fence.run_id
    )))
}

/// Whether the candidates are the run's, built from what is staged and published now.
pub(crate) async fn has_current_build(connection: &mut PgConnection, run_id: Uuid) -> Result<bool> {
    sqlx::query_file_scalar!("sql/fact/has_current_build.sql", run_id)
        .fetch_one(connection)
        .await
        .map_err(failed)
}

/// Makes the candidates the published data.
pub(crate) async fn publish(
    connection: &mut PgConnection,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Result<PublishOutcome> {
    let counts =
        sqlx::query_file!("sql/fact/count_publish.sql").fetch_one(&mut *connection).await.map_err(failed)?;
    // Before the rows are written: it reads the ones that go.
    let changes = checksum_changes(&mut *connection).await?;
    let (written, removed) = write_rows(connection, counts.gone > 0, now).await?;
    sqlx::query_file!("sql/fact/record_days.sql", fence.run_id, now, &changes.days, &changes.checksums)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query!(
        "DELETE FROM dirty_company_days WHERE change_id <= (SELECT last_dirty_change FROM fact_build)"
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    for statement in [
        "UPDATE warehouse_versions SET publish = publish + 1",
        "DELETE FROM fact_build",
        "TRUNCATE fact_build_days, fact_candidates",
    ] {
        sqlx::query(statement).execute(&mut *connection).await.map_err(failed)?;
    }
    Ok(PublishOutcome {
        counters: Counters {
            rows_read: counted(counts.candidates),
            rows_written: written,
            rows_unchanged: counted(counts.equal),
            rows_removed: removed,
            ..Counters::default()
        },
        new_days: counted(counts.new_days),
    })
}

/// What a publish does to the checksums of days, one after the other.
struct ChecksumChanges {
    days: Vec<NaiveDate>,
    checksums: Vec<i64>,
}

async fn checksum_changes(connection: &mut PgConnection) -> Result<ChecksumChanges> {
    let changes =
        sqlx::query_file!("sql/fact/checksum_changes.sql").fetch_all(connection).await.map_err(failed)?;
    let (days, checksums) = changes.into_iter().map(|change| (change.activity_date, change.checksum)).unzip();
    Ok(ChecksumChanges { days, checksums })
}

/// Returns how many rows were written and removed.
async fn write_rows(connection: &mut PgConnection, any_gone: bool, now: DateTime<Utc>) -> Result<(u64, u64)> {
    let bounds =
        sqlx::query_file!("sql/fact/build_bounds.sql").fetch_one(&mut *connection).await.map_err(failed)?;
    let (Some(first_day), Some(last_day)) = (bounds.first_day, bounds.last_day) else { return Ok((0, 0)) };
    let mut removed = 0;
    if any_gone {
        removed = sqlx::query_file!("sql/fact/delete_gone.sql", first_day, last_day)
            .execute(&mut *connection)
            .await
            .map_err(failed)?
            .rows_affected();
    }
    sqlx::query!("SELECT ensure_month_partitions('fact_company_activity', $1, $2)", first_day, last_day)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let written = sqlx::query_file!("sql/fact/publish_changed.sql", now)
        .execute(&mut *connection)
        .await
        .map_err(failed)?
        .rows_affected();
    sqlx::query!(
        "SELECT analyze_if_grown('fact_company_activity', $1, $2, $3)",
        first_day,
        last_day,
        stored(written)
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok((written, removed))
}
