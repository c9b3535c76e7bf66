//! States of runs and stages: a word, and a colour that says no more than the word.

use maud::{Markup, html};
use presentation::value;
use proto::pipeline::v1::{RunState, RunTrigger, StageState};

/// A run's state.
pub(crate) fn run(state: RunState) -> Markup {
    badge(run_class(state), &run_word(state))
}

/// A stage's state.
pub(crate) fn stage(state: StageState) -> Markup {
    badge(stage_class(state), &stage_word(state))
}

/// A run's state in a word, as addresses spell it too.
pub(crate) fn run_word(state: RunState) -> String {
    value::run_state(state.into()).to_lowercase()
}

/// A stage's state in a word.
pub(crate) fn stage_word(state: StageState) -> String {
    value::stage_state(state.into()).to_lowercase()
}

/// What caused a run in a word, as addresses spell it too.
pub(crate) fn trigger_word(trigger: RunTrigger) -> String {
    value::run_trigger(trigger.into()).to_lowercase()
}

/// The class of what shows a stage's state.
pub(crate) const fn stage_class(state: StageState) -> &'static str {
    match state {
        StageState::Unspecified | StageState::Skipped | StageState::Cancelled => "idle",
        StageState::Pending => "waiting",
        StageState::Running => "running",
        StageState::Succeeded => "succeeded",
        StageState::Failed => "failed",
    }
}

/// The class of what shows a run's state.
pub(crate) const fn run_class(state: RunState) -> &'static str {
    match state {
        RunState::Unspecified | RunState::Cancelled => "idle",
        RunState::Queued => "waiting",
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
    }
}

fn badge(class: &str, word: &str) -> Markup {
    html! { span class={ "state " (class) } { (word) } }
}
