//! What the CRM contributed to a company-day, and how its row has changed.

use maud::{Markup, html};
use presentation::value::{change_kind, reason_kind};
use proto::reconciliation::v1::{ExplainedChange, Explanation};

use super::explained::value;
use crate::html::{
    link,
    table::{table, text},
    time,
};

pub(super) fn crm(explanation: &Explanation) -> Markup {
    if explanation.crm_statements.is_empty() && explanation.crm_version.is_none() {
        return html! {};
    }
    html! {
        h3 { "CRM" }
        @for statement in &explanation.crm_statements { p { (statement) } }
        @if let Some(version) = &explanation.crm_version {
            dl {
                dt { "Snapshot" }
                dd {
                    (version.snapshot_date)
                    @if !version.is_in_snapshot { ", which does not have the company any more" }
                }
                dt { "Unchanged" }
                dd {
                    "from " (version.effective_from) " to "
                    @if version.effective_to.is_empty() { "the newest" } @else { (version.effective_to) }
                }
                dt { "Export" }
                dd { code { (version.export_path) } }
                @if !version.archive_paths.is_empty() {
                    dt { "Archived as" }
                    dd { @for path in &version.archive_paths { code { (path) } " " } }
                }
                dt { "Loaded" }
                dd { (link::done(version.load_time.as_ref(), &version.run_id)) }
                @if !version.unreadable_columns.is_empty() {
                    dt { "Could not be read" }
                    dd { (version.unreadable_columns.join(", ")) }
                }
            }
        }
    }
}

pub(super) fn changes(changes: &[ExplainedChange]) -> Markup {
    if changes.is_empty() {
        return html! {};
    }
    let columns = [text("When"), text("What"), text("By"), text("Values"), text("Why")];
    let rows = html! {
        @for change in changes {
            tr {
                th scope="row" { (time::instant(change.publish_time.as_ref())) }
                td { (words(change_kind(change.kind))) }
                td { @if change.run_id.is_empty() { "not on record" } @else { (link::run(&change.run_id)) } }
                td { (values(change)) }
                td {
                    @for reason in &change.reasons {
                        p { strong { (words(reason_kind(reason.kind))) } ": " (reason.statement) }
                    }
                }
            }
        }
    };
    html! {
        h3 { "Changes" }
        (table("Changes of the row, the newest first", &columns, &rows))
    }
}

fn values(change: &ExplainedChange) -> Markup {
    const TELLING: [&str; 4] = ["active_users", "events", "7d_active_users", "is_churn_risk"];
    html! {
        dl {
            @match (&change.before, &change.after) {
                (Some(before), Some(after)) => {
                    @for column in &change.columns {
                        dt { (column) }
                        dd { (value(before, column)) " → " (value(after, column)) }
                    }
                }
                (Some(row), None) => @for column in TELLING { dt { (column) } dd { "was " (value(row, column)) } },
                (None, Some(row)) => @for column in TELLING { dt { (column) } dd { (value(row, column)) } },
                (None, None) => {}
            }
        }
    }
}

fn words(name: &str) -> String {
    name.to_lowercase().replace('_', " ")
}
