//! What one looks for first: is it there, is it in time, what waits.

use domain::date_window::parse_day;
use maud::{Markup, html};
use proto::{
    activity::v1::GetFreshnessResponse,
    monitoring::v1::{Backlog, GetPipelineStatusResponse},
};

use crate::html::{
    link,
    number::{count, thousands},
    part::{Answer, problem},
    time,
};
use presentation::value::human_duration;

pub(super) fn view(
    freshness: &Answer<GetFreshnessResponse>,
    status: &Answer<GetPipelineStatusResponse>,
) -> Markup {
    html! {
        div.cards {
            (card("Published through", freshness, published))
            (card("Next deadline", status, deadline))
            (card("Active runs", status, active))
            (card("Waiting", status, |status| backlog(&status.backlog.unwrap_or_default())))
        }
    }
}

fn card<T>(title: &str, answer: &Answer<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    html! {
        div.card {
            h2 { (title) }
            @match answer {
                Ok(answer) => (show(answer)),
                Err(status) => (problem(status)),
            }
        }
    }
}

fn published(freshness: &GetFreshnessResponse) -> Markup {
    html! {
        @match &freshness.newest {
            Some(newest) => {
                p.value { (time::day(&newest.activity_date)) }
                p {
                    @if freshness.days_behind <= 0 {
                        span.state.succeeded { "fresh" }
                    } @else {
                        span.state.waiting { (count(freshness.days_behind, "day", "days")) " behind" }
                    }
                }
                @if let Some(missing) = missing_days(freshness) {
                    p {
                        span.state.failed { (count(missing, "day", "days")) " missing" }
                        " in between: see the row “published” below."
                    }
                }
                p.note {
                    (count(freshness.published_days, "day", "days")) " since " (time::day(&freshness.oldest_date))
                }
            }
            None => {
                p.value { "Nothing yet" }
                p.note { a href="/runs?start=yes" { "Start a run" } ", or wait for the schedule." }
            }
        }
    }
}

/// Days between the oldest and the newest published one that are not published.
fn missing_days(freshness: &GetFreshnessResponse) -> Option<i64> {
    let oldest = parse_day(&freshness.oldest_date)?;
    let newest = parse_day(&freshness.newest.as_ref()?.activity_date)?;
    let missing = (newest - oldest).num_days() + 1 - freshness.published_days;
    (missing > 0).then_some(missing)
}

fn deadline(status: &GetPipelineStatusResponse) -> Markup {
    html! {
        @match &status.deadline {
            Some(deadline) => {
                p.value { (time::instant(deadline.deadline_time.as_ref())) }
                p {
                    @if deadline.is_missed {
                        span.state.failed { "missed" }
                    } @else {
                        span.state { "ahead" }
                    }
                }
                p.note { "for " (time::day(&deadline.activity_date)) }
            }
            None => {
                p.value { "None" }
                p.note { "The coordinator runs without " code { "--publish-deadline" } "." }
            }
        }
    }
}

fn active(status: &GetPipelineStatusResponse) -> Markup {
    html! {
        p.value { (status.active_run_ids.len()) }
        @for (position, run_id) in status.active_run_ids.iter().take(5).enumerate() {
            p.note {
                @if position == 0 { span.state.running { "running or next" } " " }
                (link::run(run_id))
            }
        }
        p.note { a href="/runs" { "All runs" } }
    }
}

fn backlog(backlog: &Backlog) -> Markup {
    html! {
        dl {
            dt { "Changes to publish" }
            dd { (thousands(backlog.dirty_ranges)) }
            dt { "Rows in quarantine" }
            dd { a href="/quality" { (thousands(backlog.open_quarantined_rows)) } }
            dt { "Alerts to deliver" }
            dd {
                (thousands(backlog.alerts))
                @if let Some(age) = backlog.oldest_alert_age.and_then(|age| std::time::Duration::try_from(age).ok()) {
                    @if backlog.alerts > 0 { ", the oldest for " (human_duration(age)) }
                }
            }
        }
    }
}
