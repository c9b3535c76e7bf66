//! Rows in quarantine by what they have in common.

use maud::{Markup, html};
use proto::quarantine::v1::QuarantineCount;

use super::{GROUPS, Quarantine};
use crate::html::{
    address::Address,
    chart::share,
    number::thousands,
    part::{Answer, part},
    table::{Column, number, table, text},
    time::NONE,
};

/// A group's head, and the same list of its rows alone.
type Head = fn(&QuarantineCount, &Address) -> Markup;

pub(super) fn view(quarantine: &Quarantine, address: &Address) -> Markup {
    html! {
        div.columns.wide {
            (groups("Quarantine by reason", "Reason", &quarantine.by_kind, address, by_kind))
            (groups("Quarantine by day", "Day of the delivery", &quarantine.by_day, address, by_day))
        }
        // Names of files are long.
        (groups("Quarantine by file", "File", &quarantine.by_origin, address, by_origin))
    }
}

fn groups(
    title: &str,
    of: &'static str,
    counts: &Answer<Vec<QuarantineCount>>,
    address: &Address,
    head: Head,
) -> Markup {
    let columns: [Column; 4] = [text(of), text("Stage"), number("Rows"), text("Share")];
    part(title, counts, |counts| {
        let signed = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
        let greatest = counts.iter().map(|count| signed(count.rows)).max().unwrap_or_default();
        let rows = html! {
            @for count in counts.iter().take(GROUPS) {
                tr {
                    th scope="row" { (head(count, &address.first_page().with("stage", &count.stage))) }
                    td { (count.stage) }
                    td.number { (thousands(count.rows)) }
                    td { (share(signed(count.rows), greatest)) }
                }
            }
        };
        html! {
            @if counts.is_empty() {
                p { span.state.succeeded { "none" } " No such row is in quarantine." }
            } @else {
                (table(&format!("{title}, the greatest first"), &columns, &rows))
                @if counts.len() > GROUPS {
                    p.note { "There are more: a condition above leaves fewer." }
                }
            }
        }
    })
}

fn by_kind(count: &QuarantineCount, address: &Address) -> Markup {
    html! { a href=(address.with("kind", &count.kind)) { (count.kind) } }
}

fn by_origin(count: &QuarantineCount, address: &Address) -> Markup {
    let files = address.with("origin", &count.origin).with("date", &count.business_date);
    html! { a href=(files) { code { (count.origin) } } }
}

fn by_day(count: &QuarantineCount, address: &Address) -> Markup {
    html! {
        @if count.business_date.is_empty() {
            (NONE)
        } @else {
            a href=(address.with("date", &count.business_date)) { (count.business_date) }
        }
    }
}
