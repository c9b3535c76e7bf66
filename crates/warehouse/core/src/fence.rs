//! The proof of ownership that every data transaction checks.

use std::fmt;

use uuid::Uuid;

/// Identifies the stage attempt that changes data. The engine checks it inside the
/// changing transaction: the run is RUNNING at this lease epoch and the stage is
/// RUNNING at this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The run.
    pub run_id: Uuid,
    /// The stage's name.
    pub stage: String,
    /// The stage's attempt, from 1.
    pub attempt: u32,
    /// The epoch at which the coordinator holds the run's lease.
    pub epoch: i64,
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run_id, stage, attempt, epoch } = self;
        write!(f, "stage {stage} of run {run_id} (attempt {attempt}, lease epoch {epoch})")
    }
}
