//! What the audits made of a day before it was published.

use maud::{Markup, html};
use proto::monitoring::v1::{AuditLevel, AuditResult, ListAuditResultsResponse, MeasuredDay};
use tonic::Code;

use crate::html::{
    link,
    number::{count, thousands},
    part::{Answer, empty, part},
    table::{number, table, text},
    time::{self, NONE},
};

pub(super) fn view(audits: &Answer<ListAuditResultsResponse>) -> Markup {
    const TITLE: &str = "Audits";
    match audits {
        Err(status) if status.code() == Code::NotFound => html! {
            section {
                h2 { (TITLE) }
                (empty("Nothing is published of this day.", "Audits are shown of the run that published it."))
            }
        },
        _ => part(TITLE, audits, shown),
    }
}

fn shown(audits: &ListAuditResultsResponse) -> Markup {
    if audits.results.is_empty() {
        return empty(
            "The audits of the run are not on record.",
            "A release that did not keep them published the day; the next run over it keeps them.",
        );
    }
    let columns = [text("Audit"), text("Result"), text("Rule with its thresholds"), text("Findings")];
    let rows = html! { @for result in &audits.results { (row(result)) } };
    html! {
        p.note {
            "Measured " (time::instant(audits.audit_time.as_ref())) " for " (link::run(&audits.run_id)) "."
        }
        (table("Audits and what they found", &columns, &rows))
        (measured(&audits.days))
    }
}

fn row(result: &AuditResult) -> Markup {
    html! {
        tr {
            th scope="row" { (result.audit) }
            td { (verdict(result)) }
            td { (result.rule) }
            td {
                @for finding in &result.findings { p { (finding) } }
                @if result.finding_count > u64::try_from(result.findings.len()).unwrap_or(u64::MAX) {
                    p.note { (count(result.finding_count, "finding", "findings")) " in total" }
                }
            }
        }
    }
}

/// What an audit did, in words.
fn verdict(result: &AuditResult) -> Markup {
    html! {
        @match (result.level(), result.finding_count) {
            (AuditLevel::Off, _) => span.state { "off" },
            (_, 0) => span.state.succeeded { "passed" },
            (AuditLevel::Warn, _) => span.state.waiting { "warned" },
            _ => span.state.failed { "blocked" },
        }
    }
}

fn measured(days: &[MeasuredDay]) -> Markup {
    let columns = [
        text("Day"),
        number("Rows"),
        number("Expected rows"),
        number("Usage records"),
        number("Their median before"),
    ];
    let rows = html! {
        @for day in days {
            tr {
                th scope="row" { (time::day(&day.activity_date)) }
                td.number { (thousands(day.rows)) }
                td.number { (thousands(day.expected_rows)) }
                td.number { (thousands(day.source_rows)) }
                td.number {
                    (day.recent_median_source_rows.map_or(NONE.to_owned(), |median| format!("{median:.1}")))
                }
            }
        }
    };
    html! { @if !days.is_empty() { (table("What was measured", &columns, &rows)) } }
}
