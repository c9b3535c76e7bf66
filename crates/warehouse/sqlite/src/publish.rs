//! Publishing candidates, within one transaction of the caller's.

use chrono::{DateTime, Utc};
use domain::Counters;
use serde_json::json;
use sqlx::SqliteConnection;
use warehouse_core::{Error, Fence, PublishOutcome, Result};

use crate::{
    checksum,
    database::{counted, failed},
};

/// Checks that the candidates are this run's, and that neither staging nor what
/// is published has changed since they were built.
pub(crate) async fn check_build_is_current(connection: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    if has_current_build(connection, &fence.run_id.to_string()).await? {
        return Ok(());
    }
    Err(Error::Precondition(format!(
        "the candidates of run {} are out of date: something was loaded or published since they were built; \
         retry the run, which builds them again",
        fence.run_id
    )))
}

/// Whether the candidates are the run's, built from what is staged and published now.
pub(crate) async fn has_current_build(connection: &mut SqliteConnection, run_id: &str) -> Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
             SELECT 1 FROM fact_build, warehouse_versions
             WHERE run_id = ?1 AND staging_version = staging AND publish_version = publish
           ) AS "is_current!: bool""#,
        run_id
    )
    .fetch_one(connection)
    .await
    .map_err(failed)
}

/// Makes the candidates the published data.
pub(crate) async fn publish(
    connection: &mut SqliteConnection,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Result<PublishOutcome> {
    let run_id = fence.run_id.to_string();
    let counts = sqlx::query!(
        r#"SELECT COUNT(*) FILTER (WHERE change <> 'GONE') AS "candidates!: i64",
                  COUNT(*) FILTER (WHERE change = 'EQUAL') AS "equal!: i64",
                  (SELECT COUNT(*) FROM fact_build_days WHERE is_new) AS "new_days!: i64" FROM fact_candidates"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let checksums = json!(checksum::changes_of_publish(&mut *connection, now).await?).to_string();
    let removed = sqlx::query_file!("sql/fact/delete_gone.sql")
        .execute(&mut *connection)
        .await
        .map_err(failed)?
        .rows_affected();
    let written = sqlx::query_file!("sql/fact/publish_changed.sql", now)
        .execute(&mut *connection)
        .await
        .map_err(failed)?
        .rows_affected();
    sqlx::query_file!("sql/fact/record_days.sql", run_id, now, checksums)
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
        "DELETE FROM fact_build_days",
        "DELETE FROM fact_candidates",
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
