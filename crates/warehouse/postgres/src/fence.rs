//! The check that every data transaction makes.
//!
//! What counts is the stage's row. Taking a run away from its holder, cancelling
//! it and failing a stage all change the row of a RUNNING stage, so a transaction
//! that holds it locked commits before them or finds that they were first. The
//! run's row would not do: renewing the lease changes it, and must not wait.

use domain::StageState;
use sqlx::PgConnection;
use warehouse_core::{Error, Fence, Result};

use crate::database::failed;

/// What is known of a fence's run and stage.
struct Found {
    run_state: String,
    lease_epoch: i64,
    stage_state: String,
    attempt: i32,
}

/// Checks that the run is RUNNING at the fence's epoch and the stage RUNNING at
/// its attempt. Says nothing of what is so a moment later: for work that must not
/// begin without it.
pub(crate) async fn check(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    let found = sqlx::query_file_as!(Found, "sql/runs/fence.sql", fence.run_id, fence.stage)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    judge(fence, found)
}

/// Checks the same, and keeps it so until the caller's transaction ends. Every
/// transaction that changes data on behalf of a stage does this before it commits.
pub(crate) async fn hold(connection: &mut PgConnection, fence: &Fence) -> Result<()> {
    let found = sqlx::query_file_as!(Found, "sql/runs/hold_fence.sql", fence.run_id, fence.stage)
        .fetch_optional(connection)
        .await
        .map_err(failed)?;
    judge(fence, found)
}

fn judge(fence: &Fence, found: Option<Found>) -> Result<()> {
    let problem = match found {
        None => "there is no such run with such a stage".to_owned(),
        Some(row) if row.run_state != "RUNNING" => format!("the run is {}", row.run_state),
        Some(row) if row.lease_epoch != fence.epoch => {
            format!("the run's lease has moved on to epoch {}", row.lease_epoch)
        }
        Some(row) if row.stage_state != StageState::Running.as_str() => {
            format!("the stage is {}", row.stage_state)
        }
        Some(row) if i64::from(row.attempt) != i64::from(fence.attempt) => {
            format!("the stage is at attempt {}", row.attempt)
        }
        Some(_) => return Ok(()),
    };
    Err(Error::Fenced { fence: fence.clone(), problem })
}
