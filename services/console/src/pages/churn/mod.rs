//! Churn: who is at risk, who came to be, who recovered, and who they are.

mod download;
mod groups;

use axum::{extract::Query, http::Uri};
use domain::date_window::parse_day;
use maud::{Markup, html};
use proto::activity::v1::{
    ChurnChange, ChurnCounts, ChurnGroup, ChurnRisk, GetChurnSummaryRequest, GetChurnSummaryResponse,
    ListChurnRisksRequest, ListChurnRisksResponse,
};
use serde::Deserialize;
use tonic::{Code, Status};

use super::companies::{explained_risk, since_contact, users_of_7_days};
use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::{self, Address},
        choice, form,
        layout::Section,
        link,
        number::{count, thousands},
        part::{Answer, empty, known_visitor, list, part},
        table::{number, pager, table, text},
        time::{self, NONE},
    },
    visitor::Visitor,
};
pub(crate) use download::download;

/// Companies per page.
const PAGE_SIZE: i32 = 50;

/// What the address says.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    date: String,
    change: String,
    country: String,
    industry: String,
    /// By which column the groups are ordered, and whether the least comes first.
    sort: String,
    direction: String,
    page: String,
}

impl Asked {
    /// # Errors
    /// If it asks for a change that there is not.
    fn checked(self) -> Result<Self, Failure> {
        if !self.change.is_empty() && self.change() == ChurnChange::Unspecified {
            return Err(Failure::Invalid(format!(
                "there is no change {:?}; there are new, still and recovered",
                self.change
            )));
        }
        Ok(self)
    }

    fn change(&self) -> ChurnChange {
        match self.change.as_str() {
            "new" => ChurnChange::New,
            "still" => ChurnChange::Still,
            "recovered" => ChurnChange::Recovered,
            _ => ChurnChange::Unspecified,
        }
    }

    fn request(&self) -> ListChurnRisksRequest {
        ListChurnRisksRequest {
            activity_date: self.date.clone(),
            page_size: PAGE_SIZE,
            page_token: self.page.clone(),
            change: self.change().into(),
            country: choice::value(&self.country),
            industry_tag: choice::value(&self.industry),
        }
    }
}

/// What the services have answered.
#[derive(Debug)]
struct Churn {
    summary: Answer<GetChurnSummaryResponse>,
    companies: Answer<ListChurnRisksResponse>,
}

/// `GET /churn`
pub(crate) async fn show(visitor: Visitor, uri: Uri, Query(asked): Query<Asked>) -> Result<Markup, Failure> {
    let asked = asked.checked()?;
    let churn = load(&visitor.services, &asked).await;
    known_visitor([churn.companies.as_ref().err(), churn.summary.as_ref().err()])?;
    Ok(visitor.page(Section::Churn, "Churn", &view(&churn, &asked, &Address::of(&uri))))
}

async fn load(services: &Services, asked: &Asked) -> Churn {
    let (mut counting, mut listing) = (services.activity(), services.activity());
    let (summary, companies) = tokio::join!(
        counting.get_churn_summary(GetChurnSummaryRequest { activity_date: asked.date.clone() }),
        listing.list_churn_risks(asked.request()),
    );
    Churn {
        summary: summary.map(tonic::Response::into_inner),
        companies: companies.map(tonic::Response::into_inner),
    }
}

fn view(churn: &Churn, asked: &Asked, address: &Address) -> Markup {
    let published = churn.summary.as_ref().map(|summary| Counted::of(summary, asked));
    html! {
        p.note {
            "A company is at risk on a day if neither that day nor the 13 before hold any event."
        }
        (day(asked, address))
        @if let Ok(Some(counted)) = &published { (tabs(counted, asked, address)) }
        @match &churn.companies {
            Err(status) if is_unknown_change(status, asked) => (no_day_before(status, &published)),
            _ => (list("Companies", address, &churn.companies, |page| companies(page, asked, address))),
        }
        @match &published {
            Ok(Some(counted)) => (groups::view(counted.summary, asked, address)),
            // The list above says that nothing is.
            Ok(None) => {}
            Err(_) => (part("Countries and industries", &churn.summary, |_| html! {})),
        }
    }
}

/// Without the day before nobody can tell what has changed.
fn is_unknown_change(status: &Status, asked: &Asked) -> bool {
    status.code() == Code::FailedPrecondition && asked.change() != ChurnChange::Unspecified
}

fn no_day_before(status: &Status, published: &Result<Option<Counted<'_>>, &Status>) -> Markup {
    let day = published.as_ref().ok().and_then(Option::as_ref).and_then(|counted| parse_day(counted.day));
    html! {
        section {
            h2 { "Companies" }
            (empty(status.message(), "Publish the day before, or choose another day."))
            @if let Some(before) = day.and_then(|day| day.pred_opt()) {
                p { a href=(address::start_run(before)) { "Start a run over " (before) } }
            }
        }
    }
}

/// The numbers of a published day.
#[derive(Debug)]
struct Counted<'a> {
    summary: &'a GetChurnSummaryResponse,
    day: &'a str,
    counts: ChurnCounts,
    /// Whose they are.
    of: String,
}

impl<'a> Counted<'a> {
    /// The counts of the companies that the list shows, as far as services count them: by
    /// country and by industry, but not by both. `None` if the day is not published.
    fn of(summary: &'a GetChurnSummaryResponse, asked: &Asked) -> Option<Self> {
        let day = &summary.publication.as_ref()?.activity_date;
        let one_of = |groups: &[ChurnGroup], chosen: &str| {
            let found = groups.iter().find(|group| choice::field(&group.value) == chosen);
            found.and_then(|group| group.counts).unwrap_or_default()
        };
        let (counts, of) = match (asked.country.as_str(), asked.industry.as_str()) {
            ("", "") => (summary.total.unwrap_or_default(), String::new()),
            (country, "") => (one_of(&summary.by_country, country), format!(" of country {country}")),
            ("", industry) => (one_of(&summary.by_industry, industry), format!(" of industry {industry}")),
            _ => (summary.total.unwrap_or_default(), " of all countries and industries".to_owned()),
        };
        Some(Self { summary, day, counts, of })
    }
}

fn day(asked: &Asked, address: &Address) -> Markup {
    html! {
        form.row method="get" action="/churn" {
            label {
                "Day (the newest published one if empty)"
                input type="date" name="date" value=(asked.date);
            }
            (form::kept(address, &["date"]))
            button.plain type="submit" { "Show" }
        }
    }
}

fn tabs(counted: &Counted<'_>, asked: &Asked, address: &Address) -> Markup {
    let Counted { summary, day, counts, of } = counted;
    let tab = |change: &str, name: &str, companies: Option<i64>| {
        let is_shown = asked.change == change;
        html! {
            @match companies {
                Some(companies) => {
                    a href=(address.first_page().with("change", change)) aria-current=[is_shown.then_some("page")] {
                        (name) " " (thousands(companies))
                    }
                }
                // There is no such list to go to.
                None => span aria-current=[is_shown.then_some("page")] { (name) " " (NONE) },
            }
        }
    };
    let ChurnCounts { at_risk, new, recovered, companies } = *counts;
    // Without the day before nobody can tell what has changed.
    let known = |companies| summary.is_previous_day_published.then_some(companies);
    html! {
        p {
            (thousands(at_risk)) " of " (count(companies, "company", "companies")) (of)
            (if at_risk == 1 { " is" } else { " are" }) " at risk on " (time::day(day)) "."
            @if !summary.is_previous_day_published {
                " The day before is not published, so that nobody can tell what has changed."
            }
        }
        nav.tabs aria-label="How the risk has changed" {
            (tab("", "At risk", Some(at_risk)))
            (tab("new", "Newly at risk", known(new)))
            (tab("still", "Still at risk", known(at_risk - new)))
            (tab("recovered", "Recovered", known(recovered)))
        }
    }
}

fn companies(page: &ListChurnRisksResponse, asked: &Asked, address: &Address) -> Markup {
    let filters = html! {
        @for (name, field) in [("country", &asked.country), ("industry", &asked.industry)] {
            @if !field.is_empty() {
                p {
                    "Only of " (name) " " strong { (field) } ". "
                    a href=(address.first_page().without(name)) { "Show all of them" }
                }
            }
        }
    };
    if page.publication.is_none() {
        return empty("The day is not published.", "Choose another day, or wait until it is.");
    }
    if page.churn_risks.is_empty() {
        return html! {
            (filters)
            (empty("No company is on this list.", "Choose another tab, or leave out a filter."))
        };
    }
    let columns = [
        text("Company"),
        text("Name"),
        text("Country"),
        text("Industry"),
        text("Last event"),
        number("Days since contact"),
        number("Users of 7 days"),
        text("Risk of churn"),
    ];
    let rows = html! { @for risk in &page.churn_risks { (company(risk)) } };
    html! {
        (filters)
        p { a href=(address.first_page().at("/churn.csv")) download { "Download the whole list as CSV" } }
        (table("Companies, the most recently active first", &columns, &rows))
        (pager(address, &page.next_page_token))
    }
}

fn company(listed: &ChurnRisk) -> Markup {
    let row = listed.activity.clone().unwrap_or_default();
    html! {
        tr {
            th scope="row" { (link::company(&row.company_id)) }
            td { (link::optional(row.company_name.as_deref())) }
            td { (link::optional(row.country.as_deref())) }
            td { (link::optional(row.industry_tag.as_deref())) }
            td {
                @if listed.last_event_date.is_empty() { "never" } @else { (time::day(&listed.last_event_date)) }
            }
            td.number { (since_contact(&row)) }
            td.number { (users_of_7_days(&row)) }
            td { (explained_risk(&row)) }
        }
    }
}

#[cfg(test)]
mod tests;
