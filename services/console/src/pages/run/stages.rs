//! The stages in numbers: counters, progress, balance, remarks, and every attempt.

use chrono::{DateTime, Utc};
use contract::message::{progress_from_proto, timestamp_to_proto};
use domain::Counters;
use maud::{Markup, html};
use presentation::value::elapsed;
use proto::pipeline::v1::{Run, RunStage, StageState};

use super::attempts::{self, Outcome};
use crate::html::{
    number::{self, bytes, thousands},
    state,
    table::{number, table, text},
    time::{NONE, instant, length},
};

/// As many remarks as do not hide what comes below them.
const FEW_REMARKS: usize = 8;

/// The table of stages, and what else there is to say of them.
pub(super) fn view(run: &Run, now: DateTime<Utc>) -> Markup {
    let columns = [
        text("Stage"),
        text("State"),
        number("Attempt"),
        number("Duration"),
        number("Read"),
        number("Written"),
        number("Unchanged"),
        number("Duplicate"),
        number("Rejected"),
        number("Removed"),
        number("Bytes"),
        text("Balance"),
    ];
    let rows = html! { @for stage in &run.stages { (row(stage, now)) } };
    html! {
        div.dense { (table("What each stage did with rows", &columns, &rows)) }
        (remarks(run))
        (attempts(run))
    }
}

fn row(stage: &RunStage, now: DateTime<Utc>) -> Markup {
    let counters = progress_from_proto(stage.progress.clone().unwrap_or_default()).counters;
    let now = timestamp_to_proto(now);
    let took = attempts::of(stage).last().and_then(|newest| {
        let running = (newest.outcome == Outcome::Running).then_some(&now);
        elapsed(newest.start, newest.end.or(running))
    });
    html! {
        tr {
            th scope="row" {
                (stage.stage)
                @if !stage.depends_on.is_empty() { span.note.after { "after " (stage.depends_on.join(", ")) } }
            }
            td { (state::stage(stage.state())) (progress(stage)) }
            td.number { @if stage.attempt == 0 { (NONE) } @else { (stage.attempt) } }
            td.number { (length(took)) }
            @for rows in [
                counters.rows_read,
                counters.rows_written,
                counters.rows_unchanged,
                counters.rows_duplicate,
                counters.rows_rejected,
                counters.rows_removed,
            ] {
                td.number { (thousands(rows)) }
            }
            td.number { (bytes(counters.bytes_read)) }
            td { (balance(stage, counters)) }
        }
    }
}

/// How far a stage is, below its state.
fn progress(stage: &RunStage) -> Markup {
    let Some(progress) = &stage.progress else { return html! {} };
    let (done, total) = (progress.units_done, progress.units_total);
    html! {
        @if stage.state() == StageState::Running {
            span.note.after {
                @if total > 0 {
                    progress aria-label={ "Progress of " (stage.stage) } value=(done.min(total)) max=(total) {}
                    " " (thousands(done)) " of " (thousands(total))
                } @else {
                    progress aria-label={ "Progress of " (stage.stage) } {}
                }
            }
            @if !progress.activity.is_empty() { span.note.after { (progress.activity) } }
        } @else if total > 0 {
            span.note.after { (thousands(done)) " of " (thousands(total)) }
        }
    }
}

/// Whether every row that was read is accounted for. While a stage runs, some are on their way.
fn balance(stage: &RunStage, counters: Counters) -> Markup {
    html! {
        @if stage.state() == StageState::Succeeded {
            @match counters.check_balance() {
                Ok(_) => span.state.succeeded { "balances" },
                Err(imbalance) => span.problem { (imbalance) },
            }
        } @else {
            (NONE)
        }
    }
}

fn remarks(run: &Run) -> Markup {
    let remarks: Vec<(&str, &str)> = run
        .stages
        .iter()
        .flat_map(|stage| stage.remarks.iter().map(|remark| (stage.stage.as_str(), remark.as_str())))
        .collect();
    let list = html! { ul { @for (stage, remark) in &remarks { li { strong { (stage) } ": " (remark) } } } };
    html! {
        // Also without remarks, so that the attempts below stay open when one comes.
        div hidden[remarks.is_empty()] {
            h3 { "Remarks" }
            @if remarks.len() > FEW_REMARKS {
                details #remarks { summary { (number::count(remarks.len() as u64, "remark", "remarks")) } (list) }
            } @else {
                (list)
            }
        }
    }
}

/// Every attempt on record, for those who cannot read the timeline.
fn attempts(run: &Run) -> Markup {
    let columns =
        [text("Stage"), text("Attempt"), text("Outcome"), text("Started"), text("Ended"), text("Error")];
    let rows = html! {
        @for stage in &run.stages {
            @for attempt in attempts::of(stage) {
                tr {
                    th scope="row" { (stage.stage) }
                    td { (attempt.number) }
                    td { (attempt.outcome.word()) }
                    td { (instant(attempt.start)) }
                    td { (instant(attempt.end)) }
                    td { (error(attempt.error_code, attempt.error_message)) }
                }
            }
        }
    };
    html! {
        details #attempts {
            summary { "Every attempt" }
            (table("Attempts by stage", &columns, &rows))
        }
    }
}

fn error(code: &str, message: &str) -> Markup {
    html! { @if code.is_empty() { (NONE) } @else { code { (code) } " " (message) } }
}
