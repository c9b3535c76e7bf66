//! What a company is now.

use maud::{Markup, html};
use proto::activity::v1::GetCompanyActivityResponse;
use tonic::Code;

use crate::{
    html::{
        address::Address,
        link::{self, Cell},
        number::count,
        part::{Answer, part},
        time,
    },
    pages::companies::risk,
};

pub(super) fn view(
    newest: &Answer<GetCompanyActivityResponse>,
    is_nothing_published: bool,
    address: &Address,
) -> Markup {
    match newest {
        Err(status) if status.code() == Code::NotFound => html! {
            section {
                h2 { "Now" }
                @if is_nothing_published {
                    p { "Nothing is published yet: what is known of the company stands below." }
                } @else {
                    p { "The company has no row on the newest published day." }
                }
            }
        },
        _ => part("Now", newest, |newest| now(newest, address)),
    }
}

fn now(newest: &GetCompanyActivityResponse, address: &Address) -> Markup {
    let row = newest.activity.clone().unwrap_or_default();
    let cell = |id, name, value: &str, shown: &Markup| {
        link::explained(address, &row.activity_date, Cell { id, name, value }, shown)
    };
    let field = |id, name, value: Option<&str>| {
        let value = link::optional(value);
        cell(id, name, value, &html! { (value) })
    };
    html! {
        dl {
            dt { "Name" }
            dd { (field("cell-company_name", "the name", row.company_name.as_deref())) }
            dt { "Country" }
            dd { (field("cell-country", "the country", row.country.as_deref())) }
            dt { "Industry" }
            dd { (field("cell-industry_tag", "the industry", row.industry_tag.as_deref())) }
            dt { "Last contact" }
            dd {
                (cell(
                    "cell-last_contact_at",
                    "the last contact",
                    &time::said(row.last_contact_at.as_ref()),
                    &time::instant(row.last_contact_at.as_ref()),
                ))
                @if let Some(days) = row.days_since_last_contact { " (" (since(days)) ")" }
            }
            dt { "On " (time::day(&row.activity_date)) }
            dd {
                (count(row.events, "event", "events")) ", " (count(row.active_users, "user", "users")) ", "
                (count(row.active_users_7d, "user", "users")) " of 7 days"
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

/// When the last contact was, seen from the day. The CRM may know of one after it.
fn since(days: i32) -> String {
    let distance = |word| format!("{} {word}", count(days.unsigned_abs(), "day", "days"));
    match days {
        0 => "on that day".to_owned(),
        1.. => distance("before"),
        _ => distance("after"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_before_or_after_the_day() {
        let said = [1, 1_200, 0, -1, -3].map(since);
        assert_eq!(said, ["1 day before", "1,200 days before", "on that day", "1 day after", "3 days after"]);
    }
}
