//! Rows in quarantine, as their sources wrote them.

use maud::{Markup, html};
use proto::quarantine::v1::{ListQuarantinedRowsResponse, QuarantineFilter, QuarantinedRow};

use super::filter::commands;
use crate::html::{
    address::Address,
    link,
    part::{Answer, empty, list},
    table::{number, pager, table, text},
    time::{self, NONE},
};

pub(super) fn view(
    rows: &Answer<ListQuarantinedRowsResponse>,
    filter: &QuarantineFilter,
    address: &Address,
) -> Markup {
    list("Rows in quarantine", address, rows, |page| {
        if page.rows.is_empty() {
            return empty(
                "No such row is in quarantine.",
                "Leave out a condition, or show accepted rows, too.",
            );
        }
        let columns = [
            text("File"),
            number("Line"),
            text("State"),
            text("Reason"),
            text("Row as the source wrote it"),
            text("Day"),
            text("Read"),
        ];
        let shown = html! { @for one in &page.rows { (row(one)) } };
        html! {
            (commands(filter))
            (table("Rows by file, then line", &columns, &shown))
            (pager(address, &page.next_page_token))
        }
    })
}

fn row(row: &QuarantinedRow) -> Markup {
    html! {
        tr {
            th scope="row" { code { (row.origin) } }
            td.number { (row.line) }
            td { (state(row)) }
            td { code { (row.kind) } p.note { (row.reason) } }
            td { pre tabindex="0" { code { (row.raw) } } }
            td { @if row.business_date.is_empty() { (NONE) } @else { (time::day(&row.business_date)) } }
            td {
                (time::instant(row.quarantine_time.as_ref())) " by " (link::run(&row.run_id))
                p.note { (row.stage) }
            }
        }
    }
}

fn state(row: &QuarantinedRow) -> Markup {
    html! {
        @match &row.acceptance {
            Some(acceptance) => {
                span.state { "accepted" }
                p.note {
                    "by " (acceptance.accepted_by) ", " (time::instant(acceptance.accept_time.as_ref())) ": "
                    (acceptance.why)
                }
            }
            None => span.state.waiting { "open" },
        }
    }
}
