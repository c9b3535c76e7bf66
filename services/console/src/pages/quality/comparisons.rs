//! What comparisons with the product API have found.

use maud::{Markup, html};
use presentation::command::CommandLine;
use proto::monitoring::v1::{ListReconciliationsResponse, Reconciliation};

use crate::{
    html::{
        address::Address,
        command::command,
        difference,
        number::thousands,
        part::{Answer, empty, part},
        table::{number, pager_of, table, text},
        time,
    },
    pages::day::SAMPLE,
};

pub(super) fn view(comparisons: &Answer<ListReconciliationsResponse>, address: &Address) -> Markup {
    part("Comparisons with the product API", comparisons, |page| {
        if page.reconciliations.is_empty() {
            return html! {
                (empty("No comparison is on record.", "Compare a day on its page, or from the command line:"))
                (command(&CommandLine::reconcile("yesterday", Some(SAMPLE))))
            };
        }
        let columns = [
            text("Ended"),
            text("Days"),
            text("Companies"),
            text("Result"),
            number("Compared"),
            number("Differ"),
            number("Unreadable records"),
            text("By kind"),
            text("By"),
        ];
        let rows = html! { @for one in &page.reconciliations { (row(one)) } };
        html! {
            (table("Comparisons, the newest first", &columns, &rows))
            (pager_of("Pages of the comparisons", "comparisons", address, &page.next_page_token))
        }
    })
}

fn row(comparison: &Reconciliation) -> Markup {
    let summary = comparison.summary.clone().unwrap_or_default();
    html! {
        tr {
            th scope="row" { (time::instant(comparison.end_time.as_ref())) }
            td { (time::days(comparison.window.as_ref())) }
            td { (which(comparison)) }
            td { (difference::verdict(&summary)) }
            td.number { (thousands(summary.compared)) }
            td.number { (thousands(summary.mismatches)) }
            td.number { (thousands(summary.invalid_records)) }
            td { (difference::by_kind(&summary.by_kind)) }
            td { (comparison.requested_by) }
        }
    }
}

fn which(comparison: &Reconciliation) -> String {
    match (comparison.companies, comparison.sample_size) {
        (0, 0) => "all".to_owned(),
        (0, most) => format!("a sample of {} a day", thousands(most)),
        (named, _) => format!("{} by name", thousands(named)),
    }
}
