//! The list of runs.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use presentation::run_end::failed_stage;
use proto::pipeline::v1::Run;

use super::filter::{Filter, STATES, TRIGGERS};
use crate::{
    html::{
        link, part, state,
        table::{number, table, text},
        time::{NONE, days, instant, length},
    },
    pages::run::took,
};

/// The form that chooses which runs to list.
pub(super) fn filter_form(filter: &Filter) -> Markup {
    let states = STATES.map(|state| (state::run_word(state), filter.states.contains(&state)));
    let triggers = TRIGGERS.map(|trigger| (state::trigger_word(trigger), filter.triggers.contains(&trigger)));
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
pub(super) fn runs(runs: &[Run], now: DateTime<Utc>) -> Markup {
    let columns = [
        text("Run"),
        text("Days"),
        text("Trigger"),
        text("State"),
        text("Requested by"),
        text("Created"),
        number("Duration"),
        text("Failed in"),
    ];
    table("Runs, the newest first", &columns, &html! { @for run in runs { (row(run, now)) } })
}

fn row(run: &Run, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            th scope="row" { (link::run(&run.run_id)) }
            td { (days(run.window.as_ref())) }
            td { (state::trigger_word(run.trigger())) }
            td { (state::run(run.state())) }
            td { (link::optional(Some(&run.requested_by))) }
            td { (instant(run.create_time.as_ref())) }
            td.number { (length(took(run, now))) }
            td { (failed_stage(run).map_or(NONE, |stage| &stage.stage)) }
        }
    }
}

/// What to do where no run is listed.
pub(super) fn empty(filter: &Filter, may_act: bool) -> Markup {
    if filter.is_narrow() {
        part::empty("No run meets all of these conditions.", "Leave out a condition, or show all runs.")
    } else if may_act {
        part::empty("Nothing has run yet.", "Start a run above, or wait for the schedule.")
    } else {
        part::empty(
            "Nothing has run yet.",
            "The schedule starts a run, or somebody with the role operator does.",
        )
    }
}
