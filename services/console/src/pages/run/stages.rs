//! The stages in numbers: counters, progress, balance, remarks, and every attempt.

use chrono::{DateTime, Utc};
use contract::message::{progress_from_proto, timestamp_to_proto};
use domain::Counters;
use maud::{Markup, html};
use presentation::value::{elapsed, human_duration};
use proto::pipeline::v1::{Run, RunStage, StageState};

use crate::html::{
    count::{bytes, count},
    state,
    time::{NONE, instant},
};

/// As many remarks as do not hide what comes below them.
const FEW_REMARKS: usize = 8;

/// The table of stages, and what else there is to say of them.
pub(super) fn view(run: &Run, now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table of stages" {
            table.dense {
                caption { "What each stage did with rows" }
                thead {
                    tr {
                        @for name in ["Stage", "State"] { th scope="col" { (name) } }
                        @for name in [
                            "Attempt", "Took", "Read", "Written", "Unchanged", "Duplicate", "Rejected", "Removed",
                            "Bytes",
                        ] {
                            th.number scope="col" { (name) }
                        }
                        th scope="col" { "Balance" }
                    }
                }
                tbody { @for stage in &run.stages { (row(stage, now)) } }
            }
        }
        (remarks(run))
        (attempts(run))
    }
}

fn row(stage: &RunStage, now: DateTime<Utc>) -> Markup {
    let counters = progress_from_proto(stage.progress.clone().unwrap_or_default()).counters;
    let now = timestamp_to_proto(now);
    let running = (stage.state() == StageState::Running).then_some(&now);
    let took = elapsed(stage.start_time.as_ref(), stage.end_time.as_ref().or(running));
    html! {
        tr {
            th scope="row" {
                (stage.stage)
                @if !stage.depends_on.is_empty() { span.note.after { "after " (stage.depends_on.join(", ")) } }
            }
            td { (state::stage(stage.state())) (progress(stage)) }
            td.number { @if stage.attempt == 0 { (NONE) } @else { (stage.attempt) } }
            td.number { (took.map_or_else(|| NONE.to_owned(), human_duration)) }
            @for number in [
                counters.rows_read,
                counters.rows_written,
                counters.rows_unchanged,
                counters.rows_duplicate,
                counters.rows_rejected,
                counters.rows_removed,
            ] {
                td.number { (count(number)) }
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
                    " " (count(done)) " of " (count(total))
                } @else {
                    progress aria-label={ "Progress of " (stage.stage) } {}
                }
            }
            @if !progress.activity.is_empty() { span.note.after { (progress.activity) } }
        } @else if total > 0 {
            span.note.after { (count(done)) " of " (count(total)) }
        }
    }
}

/// Whether every row that was read is accounted for. While a stage runs, some are on their way.
fn balance(stage: &RunStage, counters: Counters) -> Markup {
    html! {
        @if stage.state() == StageState::Succeeded {
            @match counters.check_balance() {
                Ok(_) => span.good { "balances" },
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
        @if remarks.len() > FEW_REMARKS {
            details #remarks { summary { (count(remarks.len() as u64)) " remarks" } (list) }
        } @else if !remarks.is_empty() {
            h3 { "Remarks" }
            (list)
        }
    }
}

/// Every attempt on record, for those who cannot read the timeline.
fn attempts(run: &Run) -> Markup {
    html! {
        details #attempts {
            summary { "Every attempt" }
            div.scroll tabindex="0" role="region" aria-label="Table of attempts" {
                table {
                    caption { "Attempts by stage" }
                    thead {
                        tr {
                            @for name in ["Stage", "Attempt", "Outcome", "Started", "Ended", "Error"] {
                                th scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for stage in &run.stages {
                            @for attempt in &stage.earlier_attempts {
                                tr {
                                    th scope="row" { (stage.stage) }
                                    td { (attempt.attempt) }
                                    td { @if attempt.is_interruption { "interrupted" } @else { "failed" } }
                                    td { (instant(attempt.start_time.as_ref())) }
                                    td { (instant(attempt.end_time.as_ref())) }
                                    td { (error(&attempt.error_code, &attempt.error_message)) }
                                }
                            }
                            @if stage.attempt > 0 {
                                tr {
                                    th scope="row" { (stage.stage) }
                                    td { (stage.attempt) }
                                    td { (state::stage(stage.state())) }
                                    td { (instant(stage.start_time.as_ref())) }
                                    td { (instant(stage.end_time.as_ref())) }
                                    td { (newest_error(stage)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn newest_error(stage: &RunStage) -> Markup {
    // The error on record is of an earlier attempt once another one runs.
    match stage.state() {
        StageState::Failed | StageState::Pending => error(&stage.error_code, &stage.error_message),
        _ => html! { (NONE) },
    }
}

fn error(code: &str, message: &str) -> Markup {
    html! { @if code.is_empty() { (NONE) } @else { code { (code) } " " (message) } }
}
