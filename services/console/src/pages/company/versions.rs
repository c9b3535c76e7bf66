//! What the CRM has said of a company over time.

use maud::{Markup, html};
use proto::provenance::v1::{CompanyVersion, ListCompanyVersionsResponse};
use tonic::Code;

use crate::html::{
    address::Address,
    link,
    part::{Answer, empty, list},
    table::{pager, table, text},
    time,
};

pub(super) fn view(versions: &Answer<ListCompanyVersionsResponse>, address: &Address) -> Markup {
    const TITLE: &str = "What the CRM says";
    match versions {
        Err(status) if status.code() == Code::NotFound => html! {
            section {
                h2 { (TITLE) }
                (empty("The company was never in the CRM.", "It is known from its usage alone."))
            }
        },
        _ => list(TITLE, address, versions, |page| shown(page, address)),
    }
}

fn shown(page: &ListCompanyVersionsResponse, address: &Address) -> Markup {
    let columns = [
        text("From"),
        text("To"),
        text("Name"),
        text("Country"),
        text("Industry"),
        text("Last contact"),
        text("Export"),
        text("Loaded"),
    ];
    let rows = html! {
        @for (position, version) in page.versions.iter().enumerate() {
            (row(version, page.versions.get(position + 1)))
        }
    };
    html! {
        p.note {
            "What differs from the version before is marked."
            @if !page.next_page_token.is_empty() {
                " The version before the last of these is on the next page, so that nothing is marked in it."
            }
        }
        (table("Versions of the CRM, the newest first", &columns, &rows))
        (pager(address, &page.next_page_token))
    }
}

fn row(version: &CompanyVersion, before: Option<&CompanyVersion>) -> Markup {
    let said = |of: fn(&CompanyVersion) -> Option<&str>| {
        let now = of(version);
        let differs = before.is_some_and(|before| of(before) != now);
        html! { td { (marked(&html! { (link::optional(now)) }, differs)) } }
    };
    let contact_differs = before.is_some_and(|before| before.last_contact_at != version.last_contact_at);
    html! {
        tr {
            th scope="row" { (time::day(&version.effective_from)) }
            td { @if version.effective_to.is_empty() { "now" } @else { (time::day(&version.effective_to)) } }
            (said(|it| it.company_name.as_deref()))
            (said(|it| it.country.as_deref()))
            (said(|it| it.industry_tag.as_deref()))
            td { (marked(&time::instant(version.last_contact_at.as_ref()), contact_differs)) }
            td {
                code { (version.export_path) }
                @if !version.unreadable_columns.is_empty() {
                    p.note { "could not be read: " (version.unreadable_columns.join(", ")) }
                }
            }
            td { (link::done(version.load_time.as_ref(), &version.run_id)) }
        }
    }
}

fn marked(shown: &Markup, differs: bool) -> Markup {
    html! { @if differs { mark { (shown) } } @else { (shown) } }
}
