//! Published days for people.

use comfy_table::Table;
use proto::activity::v1::PublishedDay;

use super::cells::{NULL, number, optional_text, text, with_header};
use crate::format::value::to_the_second;

/// Published days, one line each.
#[must_use]
pub fn published_days<'a>(days: impl IntoIterator<Item = &'a PublishedDay>) -> Table {
    let mut table = with_header([
        "DAY",
        "COMPANIES",
        "ACTIVE",
        "USERS",
        "EVENTS",
        "CHURN RISKS",
        "PUBLISHED",
        "CHECKSUM",
    ]);
    for day in days {
        let Some(publication) = &day.publication else { continue };
        let total = |number: Option<i64>| number.map_or_else(|| NULL.to_owned(), |number| number.to_string());
        table.add_row([
            text(&publication.activity_date),
            number(publication.row_count),
            number(total(day.totals.map(|totals| totals.active_companies))),
            number(total(day.totals.map(|totals| totals.active_users))),
            number(total(day.totals.map(|totals| totals.events))),
            number(total(day.totals.map(|totals| totals.churn_risks))),
            text(&to_the_second(publication.publish_time.as_ref())),
            optional_text(Some(day.checksum.as_str()).filter(|checksum| !checksum.is_empty())),
        ]);
    }
    table
}
