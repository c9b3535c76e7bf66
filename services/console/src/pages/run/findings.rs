//! What audits found, and whom it was told.

use maud::{Markup, html};
use proto::{
    monitoring::v1::{AuditLevel, AuditResult, ListAuditResultsResponse, MeasuredDay, RecordedAlert},
    notifier::v1::AlertCause,
};
use tonic::Status;

use crate::html::{
    count::count,
    time::{NONE, day, instant},
};

/// What is on record of a run beside itself.
pub(super) struct Findings {
    pub(super) audits: Result<ListAuditResultsResponse, Status>,
    pub(super) alerts: Result<Vec<RecordedAlert>, Status>,
}

/// Both, each with what went wrong when it was asked for.
pub(super) fn view(findings: &Findings) -> Markup {
    html! {
        section aria-labelledby="audits" {
            h2 #audits { "Audits" }
            @match &findings.audits {
                Ok(audits) => (audited(audits)),
                Err(status) => (missing(status)),
            }
        }
        section aria-labelledby="alerts" {
            h2 #alerts { "Alerts" }
            @match &findings.alerts {
                Ok(alerts) => (alerted(alerts)),
                Err(status) => (missing(status)),
            }
        }
    }
}

fn missing(status: &Status) -> Markup {
    html! {
        p.problem { "This part cannot be shown: " (status.message()) }
        p { "The rest of the page holds. Reload it to ask again." }
    }
}

fn audited(audits: &ListAuditResultsResponse) -> Markup {
    html! {
        @if audits.results.is_empty() {
            p.note { "No audit is on record for this run. They are made before its days are published." }
        } @else {
            p.note { "Measured " (instant(audits.audit_time.as_ref())) "." }
            div.scroll tabindex="0" role="region" aria-label="Table of audits" {
                table {
                    caption { "What audits ask for, and what they found" }
                    thead {
                        tr { @for name in ["Audit", "Level", "Rule", "Found"] { th scope="col" { (name) } } }
                    }
                    tbody { @for result in &audits.results { (audit(result)) } }
                }
            }
            @if !audits.days.is_empty() { (measured(&audits.days)) }
        }
    }
}

fn audit(result: &AuditResult) -> Markup {
    let level = match result.level() {
        AuditLevel::Block => "blocks the publish",
        AuditLevel::Warn => "warns",
        AuditLevel::Off => "off",
        AuditLevel::Unspecified => "unknown",
    };
    let shown = u64::try_from(result.findings.len()).unwrap_or(u64::MAX);
    html! {
        tr {
            th scope="row" { (result.audit) }
            td { (level) }
            td { (result.rule) }
            td {
                @if result.level() == AuditLevel::Off {
                    (NONE)
                } @else if result.finding_count == 0 && result.findings.is_empty() {
                    span.good { "nothing" }
                } @else {
                    ul.findings { @for finding in &result.findings { li { (finding) } } }
                    @if result.finding_count > shown { p.note { (count(result.finding_count)) " in all" } }
                }
            }
        }
    }
}

fn measured(days: &[MeasuredDay]) -> Markup {
    html! {
        details {
            summary { "What was measured, by day" }
            div.scroll tabindex="0" role="region" aria-label="Table of measured days" {
                table {
                    caption { "What the publish would leave behind" }
                    thead {
                        tr {
                            th scope="col" { "Day" }
                            @for name in ["Rows", "Expected rows", "Usage records", "Median of recent days"] {
                                th.number scope="col" { (name) }
                            }
                        }
                    }
                    tbody {
                        @for one in days {
                            tr {
                                th scope="row" { (day(&one.activity_date)) }
                                @for number in [one.rows, one.expected_rows, one.source_rows] {
                                    td.number { (count(number)) }
                                }
                                td.number {
                                    @match one.recent_median_source_rows {
                                        Some(median) => (format!("{median:.1}")),
                                        None => (NONE),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn alerted(alerts: &[RecordedAlert]) -> Markup {
    html! {
        @if alerts.is_empty() {
            p.note { "Nobody was alerted of this run." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Table of alerts" {
                table {
                    caption { "What people were alerted of, the newest first" }
                    thead {
                        tr {
                            @for name in ["Happened", "About", "Day", "Error", "Delivery"] { th scope="col" { (name) } }
                        }
                    }
                    tbody { @for alert in alerts { (alert_row(alert)) } }
                }
            }
        }
    }
}

fn alert_row(recorded: &RecordedAlert) -> Markup {
    let alert = recorded.alert.clone().unwrap_or_default();
    html! {
        tr {
            td { (instant(alert.fail_time.as_ref())) }
            td {
                (cause(alert.cause()))
                @if !alert.stage.is_empty() { ": " (alert.stage) }
                @if recorded.is_open { " " span.state.waiting { "open" } }
            }
            td { @if alert.business_date.is_empty() { (NONE) } @else { (day(&alert.business_date)) } }
            td { code { (alert.error_code) } " " (alert.error_message) }
            td {
                @if recorded.settle_time.is_some() {
                    @if recorded.problem.is_empty() { "delivered " } @else { "ended " }
                    (instant(recorded.settle_time.as_ref()))
                } @else {
                    "waits for delivery"
                }
                ", " (tries(recorded.tries))
                @if !recorded.problem.is_empty() { p.note { "Newest problem: " (recorded.problem) } }
            }
        }
    }
}

const fn cause(cause: AlertCause) -> &'static str {
    match cause {
        AlertCause::Unspecified | AlertCause::StageFailed => "a stage failed",
        AlertCause::DeadlineWithoutRun => "the deadline passed without a run",
        AlertCause::DeadlineRunActive => "the deadline passed during the run",
        AlertCause::DeadlineRunFailed => "the deadline passed after the run failed",
        AlertCause::NumbersDiffer => "numbers differ from the product API",
    }
}

fn tries(tries: u32) -> String {
    if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") }
}
