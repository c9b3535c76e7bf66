//! What is wrong, in full, and what to do about it.

use maud::{Markup, html};
use presentation::run_end::hint;
use proto::pipeline::v1::{Run, RunStage, RunState, StageState};

use super::attempts::{self, Attempt};
use crate::html::time::instant;

/// The errors of the stages that have one, and what they wait for.
pub(super) fn view(run: &Run) -> Markup {
    let troubled = |stage: &&RunStage| stage.waiting_for_service_since.is_some() || newest(stage).is_some();
    let stages: Vec<&RunStage> = run.stages.iter().filter(troubled).collect();
    html! {
        // The section is there also without errors: what comes after it stays in its place when one
        // comes, and so stays as the visitor has it.
        section.errors aria-labelledby="errors" hidden[stages.is_empty()] {
            h2 #errors { "What is wrong" }
            @for stage in stages { (of_stage(run, stage)) }
        }
    }
}

/// The newest attempt of a stage that is not done, if it ended with an error. The stage's own error
/// may be that of an attempt before it.
fn newest(stage: &RunStage) -> Option<Attempt<'_>> {
    let newest = attempts::of(stage).pop()?;
    let is_troubled = matches!(stage.state(), StageState::Failed | StageState::Pending);
    (is_troubled && !newest.error_code.is_empty()).then_some(newest)
}

fn of_stage(run: &Run, stage: &RunStage) -> Markup {
    html! {
        h3 { (stage.stage) @if stage.attempt > 0 { ", attempt " (stage.attempt) } }
        @if let Some(ended) = newest(stage) {
            p { code { (ended.error_code) } }
            p.problem { (ended.error_message) }
            @if let Some(hint) = hint(ended.error_code) { p { (hint) } }
        }
        p { strong { "Next step: " } (next_step(run, stage)) }
    }
}

fn next_step(run: &Run, stage: &RunStage) -> Markup {
    html! {
        @if stage.waiting_for_service_since.is_some() {
            "The coordinator has waited for a connection to " strong { (stage.service) } " since "
            (instant(stage.waiting_for_service_since.as_ref())) ". Look whether it runs and is let through; the stage \
             goes on by itself once it answers."
        } @else if run.state() == RunState::Failed {
            "Once that is mended, the run can be continued: stages that have succeeded are not repeated."
        } @else if run.state() == RunState::Cancelled {
            "The run was cancelled. It can be continued: stages that have succeeded are not repeated."
        } @else if stage.next_attempt_time.is_some() {
            "None yet: the next attempt is due at " (instant(stage.next_attempt_time.as_ref())) "."
        } @else {
            "None yet: the stage is tried again."
        }
    }
}
