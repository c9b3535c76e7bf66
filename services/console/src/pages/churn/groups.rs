//! Who is at risk, by country, by industry and by the last contact.

use maud::{Markup, html};
use proto::activity::v1::{ChurnByContact, ChurnChange, ChurnCounts, ChurnGroup, GetChurnSummaryResponse};

use super::Asked;
use crate::html::{
    address::Address,
    chart::share,
    choice, form,
    number::{count, thousands},
    table::{Column, Order, number, sorted, table, text},
};

/// Groups that are shown before those of which nobody needs all.
const SHOWN: usize = 15;

pub(super) fn view(summary: &GetChurnSummaryResponse, asked: &Asked, address: &Address) -> Markup {
    let title = title(asked.change());
    html! {
        @if !(asked.country.is_empty() && asked.industry.is_empty()) {
            p.note { "The tables below count all companies of the day, also those that the list leaves out." }
        }
        div.columns {
            (section("By country", title, "Country", "country", &summary.by_country, asked, address))
            (section("By industry", title, "Industry", "industry", &summary.by_industry, asked, address))
            (by_contact(title, &summary.by_last_contact, asked))
        }
    }
}

const fn title(change: ChurnChange) -> &'static str {
    match change {
        ChurnChange::Unspecified => "At risk",
        ChurnChange::New => "Newly at risk",
        ChurnChange::Still => "Still at risk",
        ChurnChange::Recovered => "Recovered",
    }
}

/// What the chosen tab counts.
const fn counted(counts: ChurnCounts, change: ChurnChange) -> i64 {
    match change {
        ChurnChange::Unspecified => counts.at_risk,
        ChurnChange::New => counts.new,
        ChurnChange::Still => counts.at_risk - counts.new,
        ChurnChange::Recovered => counts.recovered,
    }
}

const fn columns(of: &'static str, title: &'static str) -> [Column; 4] {
    [
        text(of).sorted_by("name"),
        number(title).sorted_by("count"),
        text("Share"),
        number("Of companies").sorted_by("companies"),
    ]
}

/// Puts groups into the order that was asked for; equal ones stay as the services have them.
fn put_in_order(groups: &mut [(&str, ChurnCounts)], asked: &Asked, order: Order<'_>) {
    groups.sort_by(|(name, one), (other_name, other)| {
        let ordering = match order.by {
            "name" => name.cmp(other_name),
            "companies" => one.companies.cmp(&other.companies),
            _ => counted(*one, asked.change()).cmp(&counted(*other, asked.change())),
        };
        if order.descending { ordering.reverse() } else { ordering }
    });
}

fn section(
    name: &str,
    title: &'static str,
    of: &'static str,
    field: &str,
    groups: &[ChurnGroup],
    asked: &Asked,
    address: &Address,
) -> Markup {
    let mut counts: Vec<(&str, ChurnCounts)> =
        groups.iter().map(|group| (choice::field(&group.value), group.counts.unwrap_or_default())).collect();
    let by = if asked.sort.is_empty() { "count" } else { &asked.sort };
    let order = Order { address, by, descending: asked.direction != "ascending" };
    put_in_order(&mut counts, asked, order);
    let greatest = greatest(counts.iter().map(|(_, counts)| *counts), asked.change());
    let rows = html! {
        @for (value, counts) in counts.iter().take(SHOWN) {
            (row(&html! { a href=(address.first_page().with(field, value)) { (value) } }, *counts, greatest, asked))
        }
    };
    html! {
        section {
            h2 { (name) }
            (sorted(&format!("{title}, {}", name.to_lowercase()), &columns(of, title), order, &rows))
            @if groups.len() > SHOWN {
                form.row method="get" action="/churn" {
                    (form::kept(address, &[field]))
                    (choice::select(&format!("All {}", groups.len()), field, "", groups))
                    button.plain type="submit" { "Show" }
                }
            }
        }
    }
}

fn by_contact(title: &'static str, groups: &[ChurnByContact], asked: &Asked) -> Markup {
    let greatest = greatest(groups.iter().map(|group| group.counts.unwrap_or_default()), asked.change());
    let rows = html! {
        @for group in groups {
            (row(&html! { (since(group)) }, group.counts.unwrap_or_default(), greatest, asked))
        }
    };
    // Searching orders by it, which says more than the group that a company is in.
    let longest = Address::new("/companies")
        .with("country", &asked.country)
        .with("industry", &asked.industry)
        .with("risk", "yes")
        .with("sort", "contact")
        .with("direction", "descending");
    html! {
        section {
            h2 { "By days since the last contact" }
            (table(&format!("{title}, by days since the last contact"), &columns("Last contact", title), &rows))
            p { a href=(longest) { "Companies at risk on the newest day, the longest without contact first" } }
        }
    }
}

fn since(group: &ChurnByContact) -> String {
    match (group.never, group.max_days) {
        (true, _) => "never".to_owned(),
        (false, Some(most)) if most == group.min_days => count(most, "day", "days"),
        (false, Some(most)) => format!("{} to {}", thousands(group.min_days), count(most, "day", "days")),
        (false, None) => format!("{} or more", count(group.min_days, "day", "days")),
    }
}

fn greatest(counts: impl Iterator<Item = ChurnCounts>, change: ChurnChange) -> i64 {
    counts.map(|counts| counted(counts, change)).max().unwrap_or_default()
}

fn row(head: &Markup, counts: ChurnCounts, greatest: i64, asked: &Asked) -> Markup {
    let companies = counted(counts, asked.change());
    html! {
        tr {
            th scope="row" { (head) }
            td.number { (thousands(companies)) }
            td { (share(companies, greatest)) }
            td.number { (thousands(counts.companies)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_ordered_by_each_of_their_columns() {
        let group = |companies, at_risk| ChurnCounts { companies, at_risk, new: 0, recovered: 0 };
        let address = Address::new("/churn");
        let ordered = |by, descending| {
            let mut groups = [("b", group(9, 4)), ("a", group(5, 3)), ("c", group(7, 1))];
            put_in_order(&mut groups, &Asked::default(), Order { address: &address, by, descending });
            groups.map(|(name, _)| name).concat()
        };
        assert_eq!([ordered("count", true), ordered("count", false)], ["bac", "cab"]);
        assert_eq!([ordered("companies", true), ordered("companies", false)], ["bca", "acb"]);
        assert_eq!([ordered("name", true), ordered("name", false)], ["cba", "abc"]);
    }

    #[test]
    fn the_time_since_a_contact_is_said_in_words() {
        let group =
            |min_days, max_days, never| since(&ChurnByContact { min_days, max_days, never, counts: None });
        assert_eq!(group(0, Some(7), false), "0 to 7 days");
        assert_eq!(group(1, Some(1), false), "1 day");
        assert_eq!(group(366, None, false), "366 days or more");
        assert_eq!(group(0, None, true), "never");
    }
}
