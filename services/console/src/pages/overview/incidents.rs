//! What people were alerted of, and is not over.

use maud::{Markup, html};
use proto::{
    monitoring::v1::{ListAlertsResponse, RecordedAlert},
    notifier::v1::{Alert, AlertCause},
};

use crate::{
    html::{
        address, link,
        part::{Answer, part},
        time,
    },
    pages::alerted,
};

pub(super) fn view(alerts: &Answer<ListAlertsResponse>) -> Markup {
    part("Open incidents", alerts, |page| {
        html! {
            @if page.alerts.is_empty() {
                p { span.state.succeeded { "none" } " Nobody has to do anything." }
            }
            @for recorded in &page.alerts { (incident(recorded)) }
            @if !page.next_page_token.is_empty() {
                p.note { "There are more, older than these." }
            }
        }
    })
}

fn incident(recorded: &RecordedAlert) -> Markup {
    let alert = recorded.alert.clone().unwrap_or_default();
    html! {
        article.incident {
            h3 {
                span.state.failed { (alerted::cause(&alert)) } " "
                @if !alert.business_date.is_empty() { (time::day(&alert.business_date)) }
            }
            @if !alert.error_message.is_empty() { p.problem { (alert.error_message) } }
            p { (next_step(&alert)) }
            dl {
                @if is_of_stage(&alert) {
                    dt { "Stage" }
                    dd {
                        (alert.stage)
                        @if alert.attempt > 0 { ", attempt " (alert.attempt) }
                        @if !alert.error_code.is_empty() { ", " code { (alert.error_code) } }
                    }
                }
                @if !alert.run_id.is_empty() { dt { "Run" } dd { (link::run(&alert.run_id)) } }
                @if let Some(trace) = link::trace(&alert.trace_url) { dt { "Trace" } dd { (trace) } }
                dt { "Since" }
                dd { (time::instant(alert.fail_time.as_ref())) }
                dt { "Alert" }
                dd { (alerted::delivery(recorded)) }
            }
        }
    }
}

fn is_of_stage(alert: &Alert) -> bool {
    matches!(AlertCause::try_from(alert.cause), Ok(AlertCause::Unspecified | AlertCause::StageFailed))
}

fn next_step(alert: &Alert) -> Markup {
    let run = || html! { a href=(address::run(&alert.run_id)) { "the run" } };
    let day = || html! { a href=(format!("/days/{}", alert.business_date)) { "the day" } };
    let known = AlertCause::try_from(alert.cause).ok();
    match known {
        Some(AlertCause::Unspecified | AlertCause::StageFailed | AlertCause::DeadlineRunFailed)
            if !alert.run_id.is_empty() =>
        {
            html! { "Remove the cause, then retry " (run()) ": it goes on at its first unfinished stage." }
        }
        Some(AlertCause::DeadlineRunActive) if !alert.run_id.is_empty() => {
            html! { "See on " (run()) " which stage takes so long, or what it waits for." }
        }
        Some(AlertCause::NumbersDiffer) => html! {
            "Compare " (day()) " once more, and "
            a href=(address::run_again(&alert.business_date)) { "run it again" } " if it differs."
        },
        // The services may be newer than the console.
        None => html! {
            "The services know more than this console: see "
            @if !alert.run_id.is_empty() { (run()) } @else if alert.business_date.is_empty() { "their logs" } @else { (day()) }
            ", and update the console."
        },
        _ if alert.business_date.is_empty() => html! { "See why it failed, then start a run." },
        _ => html! {
            a href=(address::start_run(&alert.business_date)) { "Start a run" } " over " (day())
            ", and see why the schedule did not."
        },
    }
}
