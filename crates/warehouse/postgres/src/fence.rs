//! The check that every data transaction makes.
//!
//! The stage's row decides. Taking a run from its holder, cancelling it and failing a
//! stage all change the row of a RUNNING stage, so a transaction that holds it locked
//! either commits before them or finds that they came first. The run's row would not
//! do: renewing the lease changes it, and must not wait.

use sqlx::PgConnection;
use warehouse_core::{Fence, engine::FencedStage};

use crate::fault::Result;

/// Checks that the run is RUNNING at the fence's epoch and the stage RUNNING at its
/// attempt. Guarantees nothing a moment later: for work that must not begin without it.
pub(crate) async fn check(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    let found = sqlx::query_file_as!(FencedStage, "../sql/runs/fence.sql", fence.run_id, fence.stage);
    Ok(fence.judge(found.fetch_optional(connection).await?)?)
}

/// Checks the same, and keeps it true until the caller's transaction ends. Every
/// transaction that changes data on behalf of a stage does this before it commits.
pub(crate) async fn hold(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    let found = sqlx::query_file_as!(FencedStage, "sql/runs/hold_fence.sql", fence.run_id, fence.stage);
    Ok(fence.judge(found.fetch_optional(connection).await?)?)
}
