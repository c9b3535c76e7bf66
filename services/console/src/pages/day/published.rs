//! What is published of a day.

use chrono::NaiveDate;
use maud::{Markup, html};
use proto::activity::v1::PublishedDay;

use crate::html::{
    address, link,
    number::thousands,
    part::{Answer, empty, part},
    time::NONE,
};

pub(super) fn view(date: NaiveDate, published: &Answer<Option<PublishedDay>>) -> Markup {
    part("Published", published, |day| {
        let Some(day) = day else {
            return html! {
                (empty("The day is not published.", "Start a run over it, or wait for the schedule."))
                p { a href=(address::start_run(date)) { "Start a run over the day" } }
            };
        };
        shown(day)
    })
}

fn shown(day: &PublishedDay) -> Markup {
    let publication = day.publication.clone().unwrap_or_default();
    html! {
        dl {
            dt { "Published" }
            dd { (link::done(publication.publish_time.as_ref(), &publication.run_id)) }
            dt { "Rows" }
            dd { (thousands(publication.row_count)) }
            dt { "Checksum" }
            dd { @if day.checksum.is_empty() { (NONE) } @else { code { (day.checksum) } } }
            @match &day.totals {
                Some(totals) => {
                    dt { "Events" }
                    dd { (thousands(totals.events)) }
                    dt { "Active users" }
                    dd { (thousands(totals.active_users)) }
                    dt { "Companies with events" }
                    dd { (thousands(totals.active_companies)) }
                    dt { "Companies at risk of churn" }
                    dd { (thousands(totals.churn_risks)) }
                }
                None => {
                    dt { "Totals" }
                    dd { "The release that published the day did not sum up." }
                }
            }
        }
    }
}
