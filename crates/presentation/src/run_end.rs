//! Whether and how a run has ended, and how it goes on.

use proto::pipeline::v1::{Run, RunStage, RunState, StageState};

use crate::command::CommandLine;

/// Whether a run has ended, successfully or not.
#[must_use]
pub fn has_ended(run: &Run) -> bool {
    match run.state() {
        RunState::Succeeded | RunState::Failed | RunState::Cancelled => true,
        RunState::Unspecified | RunState::Queued | RunState::Running => false,
    }
}

/// The stage that a run failed in.
#[must_use]
pub fn failed_stage(run: &Run) -> Option<&RunStage> {
    run.stages.iter().find(|stage| stage.state() == StageState::Failed)
}

/// How to continue a run that has not succeeded, as the end of a sentence; `None` if there is
/// nothing to continue.
#[must_use]
pub fn way_on(run: &Run) -> Option<String> {
    let command = CommandLine::retry(&run.run_id);
    match run.state() {
        RunState::Failed => Some(format!("once that is mended, continue it with `{command}`")),
        RunState::Cancelled => Some(format!("continue it with `{command}`")),
        _ => None,
    }
}

/// What a stage's error code says about where to look; `None` where the message alone does.
#[must_use]
pub fn hint(error_code: &str) -> Option<&'static str> {
    match error_code {
        "UNAVAILABLE" => Some(
            "Something that the stage needs did not answer: look whether its source and its service are up.",
        ),
        "DEADLINE_EXCEEDED" => {
            Some("The attempt took longer than the pipeline file allows, or what it asked did.")
        }
        "UNAUTHENTICATED" => Some("What the stage asked does not know its credential: renew it."),
        "PERMISSION_DENIED" => {
            Some("What the stage asked knows its credential, which is not granted enough.")
        }
        "RESOURCE_EXHAUSTED" => Some("A limit was reached: wait until there is room, or raise it."),
        "INTERNAL" | "UNKNOWN" => Some("That is a defect: the trace and the log of the service say more."),
        _ => None,
    }
}
