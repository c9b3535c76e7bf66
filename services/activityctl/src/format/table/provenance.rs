//! Where staged data comes from.

use comfy_table::{Cell, Table};
use indicatif::HumanCount;
use proto::provenance::v1::{CompanyVersion, GetDaySourcesResponse};

use super::cells::{NULL, bytes, number, optional_text, text, unbroken, with_header};
use crate::format::value::to_the_second;

/// The deliveries of a day, one line each.
#[must_use]
pub fn day_sources(sources: &GetDaySourcesResponse) -> Table {
    let mut table = with_header(["SOURCE", "FILE", "LOADED", "RUN", "SIZE", "STAGED", "QUARANTINED"]);
    let none = || Cell::new(NULL);
    let count = |count| number(HumanCount(count));
    if let Some(usage) = &sources.usage {
        table.add_row([
            Cell::new("product API"),
            or_null(&usage.landing_path),
            Cell::new(to_the_second(usage.fetch_time.as_ref())),
            text(&usage.run_id),
            number(bytes(usage.bytes)),
            count(usage.staged_records),
            count(usage.quarantined_records),
        ]);
    }
    if let Some(crm) = &sources.crm {
        table.add_row([
            text(&format!("CRM of {}", crm.snapshot_date)),
            text(&crm.export_path),
            Cell::new(to_the_second(crm.load_time.as_ref())),
            or_null(&crm.run_id),
            none(),
            none(),
            count(crm.quarantined_rows),
        ]);
    }
    for events in &sources.events {
        table.add_row([
            Cell::new("events"),
            text(&events.path),
            Cell::new(to_the_second(events.load_time.as_ref())),
            or_null(&events.run_id),
            none(),
            none(),
            none(),
        ]);
    }
    unbroken(table)
}

/// What the CRM has said about a company, one line per version.
#[must_use]
pub fn company_versions<'a>(versions: impl IntoIterator<Item = &'a CompanyVersion>) -> Table {
    let mut table =
        with_header(["FROM", "TO", "NAME", "COUNTRY", "INDUSTRY", "LAST CONTACT", "EXPORT", "UNREADABLE"]);
    for version in versions {
        let contact = to_the_second(version.last_contact_at.as_ref());
        table.add_row([
            text(&version.effective_from),
            or_null(&version.effective_to),
            optional_text(version.company_name.as_deref()),
            optional_text(version.country.as_deref()),
            optional_text(version.industry_tag.as_deref()),
            or_null(&contact),
            text(&version.export_path),
            or_null(&version.unreadable_columns.join(", ")),
        ]);
    }
    unbroken(table)
}

fn or_null(value: &str) -> Cell {
    text(if value.is_empty() { NULL } else { value })
}
