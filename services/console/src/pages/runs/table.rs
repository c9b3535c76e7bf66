//! The list of runs.

use chrono::{DateTime, Utc};
use contract::message::timestamp_to_proto;
use maud::{Markup, html};
use presentation::{
    run_end::failed_stage,
    value::{elapsed, human_duration},
};
use proto::pipeline::v1::Run;

use super::filter::{Filter, STATES, TRIGGERS, state_word, trigger_word};
use crate::{
    html::{
        state,
        time::{NONE, instant},
    },
    pages::run::{days, run_address},
};

/// The form that chooses which runs to list.
pub(super) fn filter_form(filter: &Filter) -> Markup {
    let states = STATES.map(|state| (state_word(state), filter.states.contains(&state)));
    let triggers = TRIGGERS.map(|trigger| (trigger_word(trigger), filter.triggers.contains(&trigger)));
    let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
    html! {
        form.row method="get" action="/runs" aria-label="Filter" {
            label { "From day" input type="date" name="from" value=(day(filter.days.map(|days| days.start()))); }
            label { "To day" input type="date" name="to" value=(day(filter.days.map(|days| days.end()))); }
            (choices("State", "state", &states))
            (choices("Trigger", "trigger", &triggers))
            button type="submit" { "Filter" }
            @if filter.is_narrow() { a.button.plain href="/runs" { "Show all" } }
        }
    }
}

fn choices(legend: &str, name: &str, choices: &[(String, bool)]) -> Markup {
    html! {
        fieldset.choices {
            legend { (legend) }
            @for (word, is_chosen) in choices {
                label.choice { input type="checkbox" name=(name) value=(word) checked[*is_chosen]; (word) }
            }
        }
    }
}

/// The runs of a page.
pub(super) fn table(runs: &[Run], now: DateTime<Utc>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Table of runs" {
            table {
                caption { "Runs, the newest first" }
                thead {
                    tr {
                        @for name in ["Run", "Days", "Trigger", "State", "Requested by", "Created"] {
                            th scope="col" { (name) }
                        }
                        th.number scope="col" { "Duration" }
                        th scope="col" { "Failed in" }
                    }
                }
                tbody { @for run in runs { (row(run, now)) } }
            }
        }
    }
}

fn row(run: &Run, now: DateTime<Utc>) -> Markup {
    let now = timestamp_to_proto(now);
    let took = elapsed(run.start_time.as_ref(), run.end_time.as_ref().or(Some(&now)));
    html! {
        tr {
            th.id scope="row" { a href=(run_address(&run.run_id)) { (run.run_id) } }
            td { (days(run.window.as_ref())) }
            td { (trigger_word(run.trigger())) }
            td { (state::run(run.state())) }
            td { @if run.requested_by.is_empty() { (NONE) } @else { (run.requested_by) } }
            td { (instant(run.create_time.as_ref())) }
            td.number { (took.map_or_else(|| NONE.to_owned(), human_duration)) }
            td { (failed_stage(run).map_or(NONE, |stage| &stage.stage)) }
        }
    }
}

/// Links to the pages around this one.
pub(super) fn pager(filter: &Filter, next_page_token: &str) -> Markup {
    html! {
        @if !filter.is_first_page() || !next_page_token.is_empty() {
            nav.pages aria-label="Pages of runs" {
                @if !filter.is_first_page() { a href=(filter.address("")) { "Newest runs" } }
                @if !next_page_token.is_empty() {
                    a rel="next" href=(filter.address(next_page_token)) { "Older runs" }
                }
            }
        }
    }
}

/// What to do where no run is listed.
pub(super) fn empty(filter: &Filter, may_act: bool) -> Markup {
    html! {
        div.empty {
            @if filter.is_narrow() {
                p { "No run is like that." }
                p { a href="/runs" { "Show all runs" } }
            } @else if may_act {
                p { "Nothing has run yet." }
                p { "Start a run above, or wait for the schedule." }
            } @else {
                p { "Nothing has run yet." }
                p { "The schedule starts a run, or somebody with the role operator does." }
            }
        }
    }
}
