//! The check that every data transaction starts with.

use sqlx::SqliteConnection;
use warehouse_core::{Fence, engine::FencedStage};

use crate::fault::Result;

/// Checks inside the caller's transaction that the run is RUNNING at the
/// fence's epoch and the stage RUNNING at its attempt.
pub(crate) async fn check(connection: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    let found =
        sqlx::query_file_as!(FencedStage, "../sql/runs/fence.sql", fence.run_id.hyphenated(), fence.stage);
    Ok(fence.judge(found.fetch_optional(connection).await?)?)
}
