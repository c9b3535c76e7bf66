//! Days by stages: what the newest run over each day made of it.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate};
use domain::DateWindow;
use maud::{Markup, html};
use presentation::value::{elapsed, human_duration};
use proto::{
    activity::v1::PublishedDay,
    monitoring::v1::GetPipelineStatusResponse,
    pipeline::v1::{Run, RunStage, RunState, RunTrigger, StageState},
};

use tonic::Status;

use super::newest_runs::NewestRuns;
use crate::html::{
    address::{self, Address},
    number::count,
    part::{Answer, part, problem},
    state,
    time::NONE,
};

/// What stands in a cell, beside its colour.
struct Mark {
    class: &'static str,
    letter: &'static str,
}

const TAKEN_BACK: Mark = Mark { class: "idle", letter: "U" };
const PUBLISHED: Mark = Mark { class: "succeeded", letter: "P" };
const BLANK: Mark = Mark { class: "blank", letter: "" };

const LEGEND: [(Mark, &str); 8] = [
    (Mark::of_stage(StageState::Succeeded), "succeeded"),
    (Mark::of_stage(StageState::Failed), "failed"),
    (Mark::of_stage(StageState::Running), "running"),
    (Mark::of_stage(StageState::Pending), "waiting"),
    (Mark::of_stage(StageState::Skipped), "skipped or cancelled"),
    (TAKEN_BACK, "taken back"),
    (PUBLISHED, "published"),
    (BLANK, "no run"),
];

pub(super) fn view(
    window: DateWindow,
    runs: &Answer<NewestRuns>,
    published: &Answer<Vec<PublishedDay>>,
    status: &Answer<GetPipelineStatusResponse>,
    address: &Address,
    yesterday: NaiveDate,
) -> Markup {
    part("Days by stages", runs, |runs| {
        let known = status.iter().flat_map(|status| &status.stages).map(|stage| stage.stage.clone());
        // A day that is published although no run covers it has its rows from a release that
        // kept no runs, or its run was forgotten since.
        let published = published.as_ref().map(|days| {
            days.iter()
                .filter_map(|day| Some((day.publication.as_ref()?.activity_date.as_str(), day)))
                .collect()
        });
        // The newest first, as everywhere.
        let days: Vec<NaiveDate> = window.days().collect::<Vec<_>>().into_iter().rev().collect();
        html! {
            (table(&days, &runs.stages(known), runs, &published))
            p.legend {
                @for (mark, says) in &LEGEND {
                    span { span class={ "cell " (mark.class) } aria-hidden="true" { (mark.letter) } (says) }
                }
            }
            (other_days(window, address, yesterday))
        }
    })
}

fn table(
    days: &[NaiveDate],
    stages: &[String],
    runs: &NewestRuns,
    published: &Result<BTreeMap<&str, &PublishedDay>, &Status>,
) -> Markup {
    let caption = "What the newest run over each day made of it, the newest day first";
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.grid {
                caption { (caption) }
                thead {
                    tr {
                        td {}
                        @for month in days.chunk_by(|one, next| one.month() == next.month()) {
                            th scope="colgroup" colspan=(month.len()) {
                                @if let Some(day) = month.first() { (day.format("%Y-%m")) }
                            }
                        }
                    }
                    tr {
                        th scope="col" { "Stage" }
                        @for day in days {
                            th scope="col" { a href=(format!("/days/{day}")) aria-label=(day) { (day.format("%d")) } }
                        }
                    }
                }
                tbody {
                    @for stage in stages {
                        tr {
                            th scope="row" { (stage) }
                            @for day in days { td { (stage_cell(*day, stage, runs.of(*day))) } }
                        }
                    }
                    tr {
                        th scope="row" { "whole run" }
                        @for day in days { td { (run_cell(*day, runs.of(*day))) } }
                    }
                    tr {
                        th scope="row" { "published" }
                        @match published {
                            Ok(published) => {
                                @for day in days {
                                    td { (published_cell(*day, published.get(day.to_string().as_str()).copied(), runs)) }
                                }
                            }
                            // Nobody knows: that is not the same as not published.
                            Err(status) => { td.missing colspan=(days.len()) { (problem(status)) } }
                        }
                    }
                }
            }
        }
    }
}

fn stage_cell(day: NaiveDate, name: &str, run: Option<&Run>) -> Markup {
    let stage = run.and_then(|run| Some((run, run.stages.iter().find(|stage| stage.stage == name)?)));
    match stage {
        Some((run, stage)) => cell(
            &Mark::of_stage(stage.state()),
            &address::run(&run.run_id),
            &format!("{name} on {day}: {}", told(stage)),
        ),
        None if run.is_some() => blank(&format!("{name} on {day}: not a stage of its run")),
        None => blank(&format!("{name} on {day}: no run")),
    }
}

impl Mark {
    const fn of_stage(state: StageState) -> Self {
        let letter = match state {
            StageState::Succeeded => "S",
            StageState::Failed => "F",
            StageState::Running => "R",
            StageState::Pending => "W",
            StageState::Skipped | StageState::Cancelled | StageState::Unspecified => NONE,
        };
        Self { class: state::stage_class(state), letter }
    }

    const fn of_run(state: RunState) -> Self {
        let letter = match state {
            RunState::Succeeded => "S",
            RunState::Failed => "F",
            RunState::Running => "R",
            RunState::Queued => "W",
            RunState::Cancelled | RunState::Unspecified => NONE,
        };
        Self { class: state::run_class(state), letter }
    }
}

/// State, duration, rows.
fn told(stage: &RunStage) -> String {
    let mut told = state::stage_word(stage.state());
    if let Some(took) = elapsed(stage.start_time.as_ref(), stage.end_time.as_ref()) {
        told.push_str(&format!(" in {}", human_duration(took)));
    }
    if let Some(counters) = stage.progress.as_ref().and_then(|progress| progress.counters) {
        told.push_str(&format!(
            ", {} read, {} written",
            count(counters.rows_read, "row", "rows"),
            count(counters.rows_written, "row", "rows")
        ));
    }
    told
}

fn run_cell(day: NaiveDate, run: Option<&Run>) -> Markup {
    let Some(run) = run else { return blank(&format!("no run over {day}")) };
    let is_taken_back = run.trigger() == RunTrigger::Unpublish && run.state() == RunState::Succeeded;
    let (mark, mut told) = if is_taken_back {
        (TAKEN_BACK, "taken back".to_owned())
    } else {
        (Mark::of_run(run.state()), state::run_word(run.state()))
    };
    // The first start is not the start of what waits to run once more.
    let took = elapsed(run.start_time.as_ref(), run.end_time.as_ref());
    if let Some(took) = took.filter(|_| run.state() != RunState::Queued) {
        told.push_str(&format!(", {} from first start to end", human_duration(took)));
    }
    cell(&mark, &address::run(&run.run_id), &format!("run over {day}: {told}"))
}

fn published_cell(day: NaiveDate, published: Option<&PublishedDay>, runs: &NewestRuns) -> Markup {
    let Some(published) = published else { return blank(&format!("{day} is not published")) };
    let rows = published.publication.as_ref().map_or(0, |publication| publication.row_count);
    let mut says = format!("{day} is published with {}", count(rows, "row", "rows"));
    // A run may be older than all that were asked for.
    let is_lost = runs.of(day).is_none() && runs.has_all();
    if is_lost {
        says.push_str("; the run is not on record");
    }
    let class = if is_lost { "idle" } else { PUBLISHED.class };
    cell(&Mark { class, ..PUBLISHED }, &format!("/days/{day}"), &says)
}

fn cell(mark: &Mark, address: &str, says: &str) -> Markup {
    html! {
        a class={ "cell " (mark.class) } href=(address) title=(says) aria-label=(says) {
            (mark.letter)
        }
    }
}

/// Nothing to see, which is said to those who do not see it.
fn blank(says: &str) -> Markup {
    html! { span.cell.blank role="img" title=(says) aria-label=(says) {} }
}

fn other_days(window: DateWindow, address: &Address, yesterday: NaiveDate) -> Markup {
    let length = Days::new(window.len_days());
    html! {
        nav.pages aria-label="Other days" {
            @if let Some(earlier) = window.end().checked_sub_days(length) {
                a href=(address.with("until", earlier)) { "Earlier days" }
            }
            @if window.end() < yesterday {
                @if let Some(later) = window.end().checked_add_days(length) {
                    a href=(address.with("until", later.min(yesterday))) { "Later days" }
                }
            }
        }
    }
}
