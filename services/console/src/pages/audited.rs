//! What audits ask for, and what they found: on the page of a run, and of the day that it
//! published.

use maud::{Markup, html};
use proto::monitoring::v1::{AuditLevel, AuditResult, ListAuditResultsResponse, MeasuredDay};

use crate::html::{
    number::{count, thousands},
    table::{number, table, text},
    time::{self, NONE},
};

/// The audits, with what they measured.
pub(super) fn view(audits: &ListAuditResultsResponse) -> Markup {
    let columns = [text("Audit"), text("Level"), text("Result"), text("Rule"), text("Findings")];
    let rows = html! { @for result in &audits.results { (row(result)) } };
    html! {
        (table("What audits ask for, and what they found", &columns, &rows))
        @if !audits.days.is_empty() {
            details {
                summary { "What was measured, by day" }
                (measured(&audits.days))
            }
        }
    }
}

fn row(result: &AuditResult) -> Markup {
    let shown = u64::try_from(result.findings.len()).unwrap_or(u64::MAX);
    html! {
        tr {
            th scope="row" { (result.audit) }
            td { (level(result.level())) }
            td { (verdict(result)) }
            td { (result.rule) }
            td {
                @if shown == 0 { (NONE) } @else { ul.findings { @for finding in &result.findings { li { (finding) } } } }
                @if result.finding_count > shown {
                    p.note { (count(result.finding_count, "finding", "findings")) " in total" }
                }
            }
        }
    }
}

const fn level(level: AuditLevel) -> &'static str {
    match level {
        AuditLevel::Block => "blocks the publish",
        AuditLevel::Warn => "warns",
        AuditLevel::Off => "off",
        AuditLevel::Unspecified => "unknown",
    }
}

/// What an audit did, in a word.
fn verdict(result: &AuditResult) -> Markup {
    html! {
        @match (AuditLevel::try_from(result.level), result.finding_count) {
            (Ok(AuditLevel::Off), _) => (NONE),
            (_, 0) => span.state.succeeded { "passed" },
            (Ok(AuditLevel::Warn), _) => span.state.waiting { "warned" },
            (Ok(AuditLevel::Block), _) => span.state.failed { "blocked" },
            // Services may be newer than the console.
            (Ok(AuditLevel::Unspecified) | Err(_), _) => span.state.waiting { "found something" },
        }
    }
}

fn measured(days: &[MeasuredDay]) -> Markup {
    let columns = [
        text("Day"),
        number("Rows"),
        number("Expected rows"),
        number("Usage records"),
        number("Median of recent days"),
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
    table("What the publish would leave behind", &columns, &rows)
}
