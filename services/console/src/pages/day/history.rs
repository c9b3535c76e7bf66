//! Each time that a day was published, or taken back.

use maud::{Markup, html};
use proto::activity::v1::{DayPublication, ListPublicationsResponse};

use crate::html::{
    address::Address,
    link,
    number::thousands,
    part::{Answer, empty, list},
    table::{number, pager, table, text},
    time::{self, NONE},
};

pub(super) fn view(history: &Answer<ListPublicationsResponse>, address: &Address) -> Markup {
    list("History of publications", address, history, |page| {
        if page.publications.is_empty() {
            return empty("No publish of this day is on record.", "The first run over it makes one.");
        }
        let columns = [
            text("When"),
            text("What"),
            text("By"),
            number("Rows"),
            number("Replaced rows"),
            text("Checksum"),
        ];
        let rows = html! { @for publication in &page.publications { (row(publication)) } };
        html! {
            (table("Publications, the newest first", &columns, &rows))
            @if page.history_since.is_some() {
                p.note {
                    "Replaced rows are on record since " (time::instant(page.history_since.as_ref())) "."
                }
            }
            (pager(address, &page.next_page_token))
        }
    })
}

fn row(publication: &DayPublication) -> Markup {
    html! {
        tr {
            th scope="row" { (time::instant(publication.publish_time.as_ref())) }
            td { @if publication.is_taken_back { span.state.waiting { "taken back" } } @else { "published" } }
            td { (link::run(&publication.run_id)) }
            td.number { (thousands(publication.row_count)) }
            td.number { (thousands(publication.replaced_rows)) }
            td { @if publication.checksum.is_empty() { (NONE) } @else { code { (publication.checksum) } } }
        }
    }
}
