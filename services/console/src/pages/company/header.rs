//! What a company is now.

use maud::{Markup, html};
use proto::activity::v1::GetCompanyActivityResponse;
use tonic::Code;

use crate::{
    html::{
        link,
        number::thousands,
        part::{Answer, part},
        time,
    },
    pages::companies::risk,
};

pub(super) fn view(newest: &Answer<GetCompanyActivityResponse>) -> Markup {
    match newest {
        Err(status) if status.code() == Code::NotFound => html! {
            section {
                h2 { "Now" }
                p { "The company has no row on the newest published day." }
            }
        },
        _ => part("Now", newest, now),
    }
}

fn now(newest: &GetCompanyActivityResponse) -> Markup {
    let row = newest.activity.clone().unwrap_or_default();
    html! {
        dl {
            dt { "Name" }
            dd { (link::optional(row.company_name.as_deref())) }
            dt { "Country" }
            dd { (link::optional(row.country.as_deref())) }
            dt { "Industry" }
            dd { (link::optional(row.industry_tag.as_deref())) }
            dt { "Last contact" }
            dd {
                (time::instant(row.last_contact_at.as_ref()))
                @if let Some(days) = row.days_since_last_contact { " (" (thousands(days)) " days before)" }
            }
            dt { "On " (time::day(&row.activity_date)) }
            dd {
                (thousands(row.events)) " events, " (thousands(row.active_users)) " users, "
                (thousands(row.active_users_7d)) " users of 7 days"
            }
            dt { "Risk of churn" }
            dd { (risk(row.is_churn_risk)) }
            @if let Some(publication) = &newest.publication {
                dt { "Published" }
                dd { (link::done(publication.publish_time.as_ref(), &publication.run_id)) }
            }
        }
    }
}
