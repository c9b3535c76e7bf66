//! A company's days, weeks or months as a table.

use std::cmp::Ordering;

use maud::{Markup, html};
use proto::activity::v1::{CompanyActivity, CompanyActivityRollUp, RollUpPeriod};

use super::{Asked, curve::name};
use crate::{
    html::{
        address::Address,
        link::{Cell, explained},
        number::{ratio, thousands},
        part::empty,
        table::{Order, number, sorted, table, text},
        time::{self, NONE},
    },
    pages::companies::risk,
};

pub(super) fn days(company_id: &str, days: &[CompanyActivity], asked: &Asked, address: &Address) -> Markup {
    let columns = [
        text("Day").sorted_by("day"),
        number("Events").sorted_by("events"),
        number("Users").sorted_by("users"),
        number("Users of 7 days").sorted_by("week"),
        number("Events per user").sorted_by("intensity"),
        text("Risk of churn"),
        number("Days since contact").sorted_by("contact"),
        text("Published"),
    ];
    let by = if asked.sort.is_empty() { "day" } else { &asked.sort };
    let order = Order { address, by, descending: asked.direction != "ascending" };
    let rows = html! { @for row in in_order(days, order) { (day(row, address)) } };
    html! {
        p.note { "Follow a number to see why it is what it is." }
        (sorted(&format!("Days of {company_id}"), &columns, order, &rows))
    }
}

/// The days in the order that was asked for. Those without a number come last in both directions;
/// equal ones have the newest first.
fn in_order<'a>(days: &'a [CompanyActivity], order: Order<'_>) -> Vec<&'a CompanyActivity> {
    let number = |row: &CompanyActivity| -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "numbers of one company are far smaller")]
        match order.by {
            "events" => Some(row.events as f64),
            "users" => Some(row.active_users.into()),
            "week" => Some(row.active_users_7d as f64),
            "intensity" => row.events_per_user,
            "contact" => row.days_since_last_contact.map(f64::from),
            _ => None,
        }
    };
    let directed = |ordering: Ordering| if order.descending { ordering.reverse() } else { ordering };
    let mut days: Vec<&CompanyActivity> = days.iter().collect();
    days.sort_by(|one, other| match (number(one), number(other)) {
        (Some(a), Some(b)) => {
            directed(a.total_cmp(&b)).then_with(|| other.activity_date.cmp(&one.activity_date))
        }
        (None, None) if order.by == "day" => directed(one.activity_date.cmp(&other.activity_date)),
        (None, None) => other.activity_date.cmp(&one.activity_date),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    days
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_a_number_come_last_in_both_directions() {
        let row = |day: u32, contact| CompanyActivity {
            activity_date: format!("2026-02-{day:02}"),
            days_since_last_contact: contact,
            ..CompanyActivity::default()
        };
        let days = [row(1, Some(3)), row(2, None), row(3, Some(9)), row(4, Some(3))];
        let address = Address::new("/companies/acme");
        let ordered = |by, descending| {
            let order = Order { address: &address, by, descending };
            let days = in_order(&days, order);
            days.iter().map(|row| row.activity_date.get(9..).unwrap_or_default()).collect::<String>()
        };
        assert_eq!([ordered("contact", true), ordered("contact", false)], ["3412", "4132"]);
        assert_eq!([ordered("day", true), ordered("day", false)], ["4321", "1234"]);
    }
}
