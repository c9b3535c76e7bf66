//! What audits found, and whom it was told.

use maud::{Markup, html};
use proto::{
    monitoring::v1::{ListAuditResultsResponse, RecordedAlert},
    pipeline::v1::Run,
};

use super::head::takes_back;
use crate::{
    html::{
        part::{Answer, part},
        table::{table, text},
        time::{NONE, day, instant},
    },
    pages::{alerted, audited},
};

/// What is on record of a run beside itself.
pub(super) struct Findings {
    pub(super) audits: Answer<ListAuditResultsResponse>,
    pub(super) alerts: Answer<Vec<RecordedAlert>>,
}

/// Both, each with what went wrong when it was asked for.
pub(super) fn view(run: &Run, findings: &Findings) -> Markup {
    html! {
        (part("Audits", &findings.audits, |results| audits(run, results)))
        (part("Alerts", &findings.alerts, |recorded| alerts(recorded)))
    }
}

fn audits(run: &Run, audits: &ListAuditResultsResponse) -> Markup {
    html! {
        @if audits.results.is_empty() && takes_back(run) {
            p.note { "A run that takes days back makes no audits." }
        } @else if audits.results.is_empty() {
            p.note { "No audit is on record for this run. They are made before its days are published." }
        } @else {
            p.note { "Measured " (instant(audits.audit_time.as_ref())) "." }
            (audited::view(audits))
        }
    }
}

fn alerts(recorded: &[RecordedAlert]) -> Markup {
    let columns = [text("Happened"), text("About"), text("Day"), text("Error"), text("Delivery")];
    let rows = html! { @for alert in recorded { (row(alert)) } };
    html! {
        @if recorded.is_empty() {
            p.note { "Nobody was alerted of this run." }
        } @else {
            (table("What people were alerted of, the newest first", &columns, &rows))
        }
    }
}

fn row(recorded: &RecordedAlert) -> Markup {
    let alert = recorded.alert.clone().unwrap_or_default();
    html! {
        tr {
            td { (instant(alert.fail_time.as_ref())) }
            td {
                (alerted::cause(&alert))
                @if !alert.stage.is_empty() { ": " (alert.stage) }
                @if recorded.is_open { " " span.state.waiting { "open" } }
            }
            td { @if alert.business_date.is_empty() { (NONE) } @else { (day(&alert.business_date)) } }
            td { code { (alert.error_code) } " " (alert.error_message) }
            td { (alerted::delivery(recorded)) }
        }
    }
}
