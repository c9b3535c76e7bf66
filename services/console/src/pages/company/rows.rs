//! A company's days, weeks or months as a table.

use maud::{Markup, html};
use proto::activity::v1::{CompanyActivity, CompanyActivityRollUp, RollUpPeriod};

use super::curve::name;
use crate::{
    html::{
        address::Address,
        link::{Cell, explained},
        number::{ratio, thousands},
        part::empty,
        table::{number, table, text},
        time::{self, NONE},
    },
    pages::companies::risk,
};

pub(super) fn days(company_id: &str, days: &[CompanyActivity], address: &Address) -> Markup {
    let columns = [
        text("Day"),
        number("Events"),
        number("Users"),
        number("Users of 7 days"),
        number("Events per user"),
        text("Risk of churn"),
        number("Days since contact"),
        text("Published"),
    ];
    let rows = html! { @for row in days.iter().rev() { (day(row, address)) } };
    html! {
        p.note { "Follow a number to see why it is what it is." }
        (table(&format!("Days of {company_id}, the newest first"), &columns, &rows))
    }
}

fn day(row: &CompanyActivity, address: &Address) -> Markup {
    let date = &row.activity_date;
    let cell =
        |id, name, value: &str, shown: &Markup| explained(address, date, Cell { id, name, value }, shown);
    let number = |id, name, value: String| {
        html! { td.number { (cell(id, name, &value, &html! { (value) })) } }
    };
    let contact = row.days_since_last_contact.map_or("never".to_owned(), thousands);
    let per_user = row.events_per_user.map_or(NONE.to_owned(), ratio);
    let at_risk = if row.is_churn_risk { "at risk" } else { "no" };
    html! {
        tr {
            th scope="row" { (time::day(date)) }
            (number("cell-events", "events", thousands(row.events)))
            (number("cell-active_users", "users", thousands(row.active_users)))
            (number("cell-7d_active_users", "users of 7 days", thousands(row.active_users_7d)))
            (number("cell-events_per_user", "events per user", per_user))
            td { (cell("cell-is_churn_risk", "the risk of churn", at_risk, &risk(row.is_churn_risk))) }
            (number("cell-days_since_last_contact", "days since contact", contact))
            td {
                (cell(
                    "cell-loaded_at",
                    "when it was published",
                    &time::said(row.loaded_at.as_ref()),
                    &time::instant(row.loaded_at.as_ref()),
                ))
            }
        }
    }
}

pub(super) fn periods(periods: &[CompanyActivityRollUp], period: Option<RollUpPeriod>) -> Markup {
    if periods.is_empty() {
        return empty("The company has no row on these days.", "Choose earlier or later days.");
    }
    let title = if name(period) == "month" { "Month from" } else { "Week from" };
    let columns = [
        text(title),
        number("Published days"),
        number("Days with events"),
        number("Events"),
        number("Users, summed by day"),
        text("At risk at its end"),
    ];
    let rows = html! {
        @for period in periods.iter().rev() {
            tr {
                th scope="row" { (time::day(&period.period_start)) }
                td.number { (thousands(period.days)) }
                td.number { (thousands(period.active_days)) }
                td.number { (thousands(period.events)) }
                td.number { (thousands(period.user_days)) }
                td { (risk(period.is_churn_risk_at_end)) }
            }
        }
    };
    table(&format!("By {}, the newest first", name(period)), &columns, &rows)
}
