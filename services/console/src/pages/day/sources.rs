//! The deliveries that a day is made of.

use maud::{Markup, html};
use proto::provenance::v1::{CrmDelivery, EventDelivery, GetDaySourcesResponse, UsageDelivery};

use crate::html::{
    address::Address,
    link,
    number::{count, thousands},
    part::{Answer, part},
    table::{table, text},
    time::{self, NONE},
};

pub(super) fn view(sources: &Answer<GetDaySourcesResponse>) -> Markup {
    part("Sources", sources, |sources| {
        html! {
            h3 { "Product API" }
            @match &sources.usage {
                Some(usage) => (self::usage(usage)),
                None => p { "The product API was never asked for the day. A run over it does." },
            }
            h3 { "CRM" }
            @match &sources.crm {
                Some(crm) => (self::crm(crm)),
                None => p { "No snapshot of the CRM counts on the day. The next run loads what is there." },
            }
            @if !sources.events.is_empty() {
                h3 { "Events" }
                (events(&sources.events))
            }
        }
    })
}

fn usage(usage: &UsageDelivery) -> Markup {
    html! {
        dl {
            dt { "Fetched" }
            dd { (link::done(usage.fetch_time.as_ref(), &usage.run_id)) }
            dt { "Landed file" }
            dd {
                @if usage.landing_path.is_empty() {
                    "none: the answer had no records"
                } @else {
                    code { (usage.landing_path) } ", " (count(usage.bytes, "byte", "bytes"))
                }
            }
            dt { "Pages" }
            dd { @if usage.pages == 0 { "not on record" } @else { (thousands(usage.pages)) } }
            dt { "Staged records" }
            dd { (thousands(usage.staged_records)) }
            dt { "In quarantine" }
            dd { (quarantined(usage.quarantined_records, &Address::new("/quality").with("origin", &usage.landing_path))) }
        }
    }
}

fn crm(crm: &CrmDelivery) -> Markup {
    html! {
        dl {
            dt { "Snapshot" }
            dd { (crm.snapshot_date) }
            dt { "Export" }
            dd { code { (crm.export_path) } }
            dt { "Archived as" }
            dd {
                @if crm.archive_paths.is_empty() { "not on record" }
                @for path in &crm.archive_paths { div { code { (path) } } }
            }
            dt { "Loaded" }
            dd { (link::done(crm.load_time.as_ref(), &crm.run_id)) }
            dt { "In quarantine" }
            dd { (quarantined(crm.quarantined_rows, &Address::new("/quality").with("origin", &crm.export_path))) }
        }
    }
}

fn quarantined(rows: u64, address: &Address) -> Markup {
    html! {
        @if rows == 0 { "none" } @else { a href=(address.with("state", "all")) { (count(rows, "row", "rows")) } }
    }
}

fn events(files: &[EventDelivery]) -> Markup {
    let rows = html! {
        @for file in files {
            tr {
                th scope="row" { code { (file.path) } }
                td { (time::instant(file.load_time.as_ref())) }
                td { @if file.run_id.is_empty() { (NONE) } @else { (link::run(&file.run_id)) } }
            }
        }
    };
    table("Event files that hold the day's events", &[text("File"), text("Loaded"), text("By")], &rows)
}
