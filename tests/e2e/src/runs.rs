//! What a test asks of a run.

use proto::pipeline::v1::{Run, RunStage, RunState, StageState};

/// The stage of that name.
///
/// # Errors
/// If the run has none.
pub fn stage<'a>(run: &'a Run, name: &str) -> anyhow::Result<&'a RunStage> {
    run.stages
        .iter()
        .find(|stage| stage.stage == name)
        .ok_or_else(|| anyhow::anyhow!("the run has no stage {name}"))
}

/// The state of every stage by name, in the order of the pipeline.
#[must_use]
pub fn stage_states(run: &Run) -> Vec<(&str, StageState)> {
    run.stages.iter().map(|stage| (stage.stage.as_str(), stage.state())).collect()
}

/// Whether the run has ended.
#[must_use]
pub fn has_ended(run: &Run) -> bool {
    matches!(run.state(), RunState::Succeeded | RunState::Failed | RunState::Cancelled)
}

/// Rows that the run wrote, over all stages.
#[must_use]
pub fn rows_written(run: &Run) -> u64 {
    run.stages
        .iter()
        .filter_map(|stage| stage.progress.as_ref()?.counters)
        .map(|counters| counters.rows_written)
        .sum()
}
