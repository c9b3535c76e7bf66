//! Publishes candidates within the caller's transaction.

use chrono::{DateTime, Utc};
use domain::{ChecksumVersion, Counters};
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{Error, Fence, PublishOutcome, engine::counted};

use crate::{checksum, fault::Result};

/// Checks that the candidates are this run's, and that neither staged nor published
/// data has changed since they were built.
pub(crate) async fn check_build_is_current(connection: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    if has_current_build(connection, fence.run_id).await? {
        return Ok(());
    }
    Err(Error::outdated_candidates(fence.run_id).into())
}

/// Whether the candidates are the run's, built from the present staged and published
/// data.
pub(crate) async fn has_current_build(connection: &mut SqliteConnection, run_id: Uuid) -> Result<bool> {
    let is_current = sqlx::query_file_scalar!("../sql/fact/has_current_build.sql", run_id.hyphenated());
    Ok(is_current.fetch_one(connection).await?)
}

/// Turns the candidates into published data.
pub(crate) async fn publish(
    connection: &mut SqliteConnection,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Result<PublishOutcome> {
    let run_id = fence.run_id.hyphenated();
    let counts = sqlx::query_file!("sql/fact/count_candidates.sql").fetch_one(&mut *connection).await?;
    let checksums = json!(checksum::changes_of_publish(&mut *connection).await?).to_string();
    let gone = sqlx::query_file!("sql/fact/delete_gone.sql").execute(&mut *connection).await?;
    let changed = sqlx::query_file!("sql/fact/publish_changed.sql", now).execute(&mut *connection).await?;
    let version = ChecksumVersion::WRITTEN.to_stored();
    let recorded = sqlx::query_file!("sql/fact/record_days.sql", run_id, now, checksums, version);
    recorded.execute(&mut *connection).await?;
    for statement in [
        "DELETE FROM dirty_company_days WHERE change_id <= (SELECT last_dirty_change FROM fact_build)",
        "UPDATE warehouse_versions SET publish = publish + 1",
        "DELETE FROM fact_build",
        "DELETE FROM fact_build_days",
        "DELETE FROM fact_candidates",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    Ok(PublishOutcome {
        counters: Counters {
            rows_read: counted(counts.candidates)?,
            rows_written: changed.rows_affected(),
            rows_unchanged: counted(counts.equal)?,
            rows_removed: gone.rows_affected(),
            ..Counters::default()
        },
        new_days: counted(counts.new_days)?,
    })
}
