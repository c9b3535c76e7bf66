//! What a run is about: its days, who asked for it, when it ran.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::message::timestamp_to_proto;
use maud::{Markup, html};
use presentation::value::elapsed;
use proto::pipeline::v1::{Run, RunState, RunTrigger, StageState};

use crate::html::{
    link, state,
    time::{NONE, day, days, instant, length},
};

/// The most days that are listed one by one.
const LISTED_DAYS: usize = 31;

/// Whether it takes days back rather than publishing them.
pub(super) fn takes_back(run: &Run) -> bool {
    run.trigger() == RunTrigger::Unpublish
}

/// From its first start to its end, or to now; nothing while it waits for its turn, also for its
/// turn to continue.
pub(crate) fn took(run: &Run, now: DateTime<Utc>) -> Option<Duration> {
    let now = timestamp_to_proto(now);
    let start = run.start_time.as_ref().filter(|_| run.state() != RunState::Queued);
    elapsed(start, run.end_time.as_ref().or(Some(&now)))
}

/// The state in a sentence, which assistive technology reads when it changes. It holds nothing
/// that grows.
pub(super) fn sentence(run: &Run) -> String {
    let named = |state| {
        let stages = run.stages.iter().filter(|stage| stage.state() == state);
        stages.map(|stage| stage.stage.as_str()).collect::<Vec<_>>().join(", ")
    };
    let done = run.stages.iter().filter(|stage| stage.state() == StageState::Succeeded).count();
    let all = run.stages.len();
    let stages = if all == 1 { "stage" } else { "stages" };
    let (outcome, nothing) = if takes_back(run) {
        ("the days are taken back", "nothing was taken back")
    } else {
        ("the days are published", "nothing was published")
    };
    match run.state() {
        RunState::Queued => "Queued: one run executes at a time, and this one waits for its turn.".to_owned(),
        RunState::Running => match named(StageState::Running) {
            running if running.is_empty() => {
                format!("Waiting between stages; {done} of {all} {stages} done.")
            }
            running => format!("Running {running}; {done} of {all} {stages} done."),
        },
        RunState::Succeeded => format!("Succeeded: {done} of {all} {stages} done, and {outcome}."),
        RunState::Failed => match named(StageState::Failed) {
            failed if failed.is_empty() => format!("Failed; {nothing}."),
            failed => format!("Failed in {failed}; {nothing}."),
        },
        RunState::Cancelled => format!("Cancelled; {nothing}."),
        RunState::Unspecified => "In a state that this console does not know.".to_owned(),
    }
}

/// The head of the page.
pub(super) fn head(run: &Run, now: DateTime<Utc>) -> Markup {
    let took = took(run, now);
    let now = timestamp_to_proto(now);
    let waited = elapsed(run.create_time.as_ref(), run.start_time.as_ref().or(Some(&now)));
    html! {
        section aria-label="The run" {
            p.lead { (state::run(run.state())) " " span #run-state aria-live="polite" { (sentence(run)) } }
            dl.facts {
                dt { "Days" } dd { (days(run.window.as_ref())) }
                dt { "Trigger" } dd { (state::trigger_word(run.trigger())) }
                dt { "Requested by" } dd { (link::optional(Some(&run.requested_by))) }
                dt { "Pipeline" } dd { (run.pipeline) }
                dt { "Created" } dd { (instant(run.create_time.as_ref())) }
                dt { "Waited for its turn" } dd { (length(waited)) }
                dt { "Started" } dd { (instant(run.start_time.as_ref())) }
                dt { "Ended" } dd { (instant(run.end_time.as_ref())) }
                dt { @if run.lease_epoch > 1 { "From first start to end" } @else { "Duration" } } dd { (length(took)) }
                dt { "Taken up" } dd { (times(run.lease_epoch)) }
                @if !run.accept_empty_days.is_empty() {
                    dt { "Small answers believed of" } dd { (listed(&run.accept_empty_days)) }
                }
                @if !run.rebuild_days.is_empty() { dt { "Rebuilt" } dd { (listed(&run.rebuild_days)) } }
                @if !run.traceparent.is_empty() {
                    dt { "Trace" }
                    dd {
                        @if let Some(trace) = link::trace(&run.trace_url) { (trace) " " }
                        code { (trace_id(&run.traceparent)) }
                    }
                }
            }
        }
    }
}

fn times(lease_epoch: i64) -> String {
    match lease_epoch {
        0 => NONE.to_owned(),
        1 => "once".to_owned(),
        often => format!("{often} times (a coordinator continued where another one had stopped)"),
    }
}

/// What a tool for traces finds a trace by: of the run's place in it, the trace alone.
fn trace_id(traceparent: &str) -> &str {
    traceparent.split('-').nth(1).unwrap_or(traceparent)
}

fn listed(days: &[String]) -> Markup {
    html! {
        @for (position, one) in days.iter().take(LISTED_DAYS).enumerate() {
            @if position > 0 { ", " }
            (day(one))
        }
        @if days.len() > LISTED_DAYS { " and " (days.len() - LISTED_DAYS) " more" }
    }
}
