//! Queries on a run.

use anyhow::{Context as _, Result};
use domain::run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE};
use proto::{
    pipeline::v1::{Run, RunStage, RunState, StageState},
    stage::v1::StageCounters,
};

/// The stages of the daily pipeline, in order.
pub const STAGES: [&str; 4] = [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT, STAGE_VALIDATE];

/// The value for `--trace-url` that [`trace_id`] needs.
pub const TRACE_URL: &str = "http://jaeger.example:16686/trace/{trace_id}";

/// The trace that a run links to.
///
/// # Errors
/// If it has no link.
pub fn trace_id(run: &Run) -> Result<String> {
    let (before, _) = TRACE_URL.split_at(TRACE_URL.len() - "{trace_id}".len());
    let id = run.trace_url.strip_prefix(before);
    Ok(id.with_context(|| format!("the run links to {:?}", run.trace_url))?.to_owned())
}

/// The stage with this name.
///
/// # Errors
/// If the run has none.
pub fn stage<'a>(run: &'a Run, name: &str) -> Result<&'a RunStage> {
    run.stages
        .iter()
        .find(|stage| stage.stage == name)
        .with_context(|| format!("the run has no stage {name}"))
}

/// The state of every stage, in the order of the pipeline.
#[must_use]
pub fn stage_states(run: &Run) -> Vec<StageState> {
    run.stages.iter().map(RunStage::state).collect()
}

/// Whether a stage is in this state.
#[must_use]
pub fn is_in(run: &Run, name: &str, state: StageState) -> bool {
    stage(run, name).is_ok_and(|stage| stage.state() == state)
}

/// Whether an attempt of the stage has started.
#[must_use]
pub fn has_begun(run: &Run, name: &str) -> bool {
    stage(run, name).is_ok_and(|stage| stage.attempt > 0)
}

/// The counters of a stage.
///
/// # Errors
/// If it has no counters yet.
pub fn counters(run: &Run, name: &str) -> Result<StageCounters> {
    let progress = stage(run, name)?.progress.as_ref();
    progress.and_then(|progress| progress.counters).with_context(|| format!("{name} has no counters"))
}

/// Whether the run has ended.
#[must_use]
pub fn has_ended(run: &Run) -> bool {
    matches!(run.state(), RunState::Succeeded | RunState::Failed | RunState::Cancelled)
}
