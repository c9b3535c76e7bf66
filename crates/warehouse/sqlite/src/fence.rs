//! The check that every data transaction starts with.

use domain::StageState;
use sqlx::SqliteConnection;
use warehouse_core::{Error, Fence, Result};

use crate::database::failed;

/// Checks inside the caller's transaction that the run is RUNNING at the
/// fence's epoch and the stage RUNNING at its attempt.
pub(crate) async fn check(connection: &mut SqliteConnection, fence: &Fence) -> Result<()> {
    let run_id = fence.run_id.to_string();
    let found = sqlx::query!(
        "SELECT run.state AS run_state, run.lease_epoch, stage.state AS stage_state, stage.attempt
         FROM pipeline_runs AS run JOIN pipeline_run_stages AS stage USING (run_id) WHERE run_id = ?1 AND stage.stage = ?2",
        run_id,
        fence.stage
    )
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    let problem = match found {
        None => "there is no such run with such a stage".to_owned(),
        Some(row) if row.run_state != "RUNNING" => format!("the run is {}", row.run_state),
        Some(row) if row.lease_epoch != fence.epoch => {
            format!("the run's lease has moved on to epoch {}", row.lease_epoch)
        }
        Some(row) if row.stage_state != StageState::Running.as_str() => {
            format!("the stage is {}", row.stage_state)
        }
        Some(row) if row.attempt != i64::from(fence.attempt) => {
            format!("the stage is at attempt {}", row.attempt)
        }
        Some(_) => return Ok(()),
    };
    Err(Error::Fenced { fence: fence.clone(), problem })
}
