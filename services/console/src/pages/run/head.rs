//! What a run is about: its days, who asked for it, when it ran.

use chrono::{DateTime, Utc};
use contract::message::timestamp_to_proto;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use presentation::value::{elapsed, human_duration, run_trigger};
use proto::{
    pipeline::v1::{Run, RunState, StageState},
    stage::v1::DateWindow,
};

use crate::html::{
    state,
    time::{NONE, day, instant},
};

/// What a part of an address may hold as it is.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The most days that are listed one by one.
const LISTED_DAYS: usize = 31;

/// Where a run's page is.
pub(crate) fn run_address(run_id: &str) -> String {
    format!("/runs/{}", utf8_percent_encode(run_id, PART))
}

/// A run's days, linked to their pages.
pub(crate) fn days(window: Option<&DateWindow>) -> Markup {
    html! {
        @match window {
            Some(DateWindow { start_date, end_date }) if start_date == end_date => { (day(start_date)) },
            Some(DateWindow { start_date, end_date }) => { (day(start_date)) " to " (day(end_date)) },
            None => { (NONE) },
        }
    }
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
    match run.state() {
        RunState::Queued => "Queued: one run executes at a time, and this one waits for its turn.".to_owned(),
        RunState::Running => match named(StageState::Running) {
            running if running.is_empty() => format!("Waiting between stages; {done} of {all} are done."),
            running => format!("Running {running}; {done} of {all} stages are done."),
        },
        RunState::Succeeded => format!("Succeeded: all {all} stages are done, and the days are published."),
        RunState::Failed => match named(StageState::Failed) {
            failed if failed.is_empty() => "Failed; nothing was published.".to_owned(),
            failed => format!("Failed in {failed}; nothing was published."),
        },
        RunState::Cancelled => "Cancelled; nothing was published.".to_owned(),
        RunState::Unspecified => "In a state that this console does not know.".to_owned(),
    }
}

/// The head of the page.
pub(super) fn head(run: &Run, now: DateTime<Utc>) -> Markup {
    let now = timestamp_to_proto(now);
    let took = elapsed(run.start_time.as_ref(), run.end_time.as_ref().or(Some(&now)));
    let waited = elapsed(run.create_time.as_ref(), run.start_time.as_ref().or(Some(&now)));
    let shown =
        |duration: Option<std::time::Duration>| duration.map_or_else(|| NONE.to_owned(), human_duration);
    html! {
        section aria-label="The run" {
            p.lead { (state::run(run.state())) " " span #run-state aria-live="polite" { (sentence(run)) } }
            dl.facts {
                dt { "Days" } dd { (days(run.window.as_ref())) }
                dt { "Trigger" } dd { (run_trigger(run.trigger).to_lowercase()) }
                dt { "Requested by" } dd { @if run.requested_by.is_empty() { (NONE) } @else { (run.requested_by) } }
                dt { "Pipeline" } dd { (run.pipeline) }
                dt { "Created" } dd { (instant(run.create_time.as_ref())) }
                dt { "Waited for its turn" } dd { (shown(waited)) }
                dt { "Started" } dd { (instant(run.start_time.as_ref())) }
                dt { "Ended" } dd { (instant(run.end_time.as_ref())) }
                dt { "Took" } dd { (shown(took)) }
                dt { "Taken up" } dd { (times(run.lease_epoch)) }
                @if !run.accept_empty_days.is_empty() {
                    dt { "Small answers believed of" } dd { (listed(&run.accept_empty_days)) }
                }
                @if !run.rebuild_days.is_empty() { dt { "Rebuilt" } dd { (listed(&run.rebuild_days)) } }
                @if !run.traceparent.is_empty() {
                    dt { "Trace" }
                    dd {
                        @if let Some(address) = web_address(&run.trace_url) {
                            a href=(address) rel="noreferrer" { "Open the trace" } " "
                        }
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

/// An address that a browser may open: whoever names it could also name a script.
fn web_address(text: &str) -> Option<&str> {
    let scheme = url::Url::parse(text).ok()?.scheme().to_owned();
    matches!(scheme.as_str(), "http" | "https").then_some(text)
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
