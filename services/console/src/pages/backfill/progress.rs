//! How far a backfill has come, and how it goes on.

use chrono::{DateTime, Utc};
use contract::message::timestamp_to_proto;
use maud::{Markup, html};
use presentation::{command::CommandLine, run_end::has_ended};

use super::form::start_button;
use crate::{
    backfills::{Backfill, Outcome},
    html::{
        command::command,
        form, link,
        time::{day, days, instant},
    },
    pages::run,
};

/// Where a backfill's page is.
pub(super) fn address(id: &str) -> String {
    format!("/backfill/{id}")
}

/// The page of a backfill, with the run that is under way.
pub(super) fn view(backfill: &Backfill, form_token: Option<&str>, now: DateTime<Utc>) -> Markup {
    let is_under_way = backfill.outcome == Outcome::UnderWay;
    let run = backfill.run.as_ref();
    // Between two runs nothing sends events.
    let reload = (is_under_way && run.is_none_or(has_ended)).then_some("2");
    html! {
        section aria-label="The backfill" data-reload=[reload] {
            p.lead { span aria-live="polite" { (sentence(backfill)) } }
            dl.facts {
                dt { "Days" } dd { (days(backfill.request.window.as_ref())) }
                dt { "Requested by" } dd { (backfill.requested_by) }
                dt { "Started" } dd { (instant(Some(&timestamp_to_proto(backfill.started_at)))) }
                dt { "Done" } dd { (bar(backfill)) }
                @if let Some(run) = run {
                    dt { "Newest run" }
                    dd { (link::run(&run.run_id)) " over " (days(run.window.as_ref())) }
                }
                @if !backfill.next_date.is_empty() { dt { "First day not done" } dd { (day(&backfill.next_date)) } }
            }
            p { a href="/runs?trigger=backfill" { "All runs of backfills" } }
        }
        (way_on(backfill, form_token))
        @if is_under_way && let Some(run) = run { (run::part(run, now)) }
    }
}

fn sentence(backfill: &Backfill) -> String {
    match &backfill.outcome {
        Outcome::UnderWay => "Under way.".to_owned(),
        Outcome::Done => "Done: all its days are published.".to_owned(),
        Outcome::Stopped(why) => format!("Stopped: {why}"),
    }
}

fn bar(backfill: &Backfill) -> Markup {
    let Backfill { days_done, days_total, .. } = backfill;
    html! {
        @if *days_total > 0 {
            progress aria-label="Days done" value=(days_done) max=(days_total) {}
            " " (days_done) " of " (days_total) " days"
        } @else {
            "its first run is about to start"
        }
    }
}

/// How to continue it: now, or should the console end.
fn way_on(backfill: &Backfill, form_token: Option<&str>) -> Markup {
    let Some(form_token) = form_token.filter(|_| backfill.outcome != Outcome::Done) else { return html! {} };
    let rest = backfill.rest();
    html! {
        section.action aria-labelledby="continue" {
            h2 #continue { "Continue" }
            @if backfill.outcome == Outcome::UnderWay {
                p {
                    "There is nothing to do. Should the console be stopped, the run under way goes on and no further \
                     one is started. This command then does the rest, and so does the same backfill started here:"
                }
            } @else {
                p {
                    "What is done stays done, and a run under way goes on. Once the cause is gone, this does the \
                     rest:"
                }
                (start_button(&rest, "Continue the backfill", form_token))
            }
            (command(&CommandLine::backfill(&rest)))
            @if backfill.outcome == Outcome::UnderWay {
                p { "Or let it end with the run under way; what is done stays done." }
                form method="post" action={ (address(&backfill.id)) "/stop" } {
                    (form::token(form_token))
                    p { button.danger type="submit" { "Start no further run" } }
                }
            }
        }
    }
}

/// The backfills under way and those that ended lately, for the page of runs.
pub(crate) fn list(backfills: &[Backfill]) -> Markup {
    html! {
        section aria-labelledby="backfills" {
            h2 #backfills { "Backfills" }
            ul {
                @for backfill in backfills {
                    li {
                        a href=(address(&backfill.id)) { "Backfill" } " of " (days(backfill.request.window.as_ref()))
                        " for " (backfill.requested_by) ": " (bar(backfill)) ". " (sentence(backfill))
                    }
                }
            }
        }
    }
}
