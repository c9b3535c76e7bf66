//! Churn: who is at risk, who came to be, who recovered, and who they are.

mod download;
mod groups;

use axum::{extract::Query, http::Uri};
use maud::{Markup, html};
use proto::activity::v1::{
    ChurnChange, ChurnCounts, ChurnRisk, GetChurnSummaryRequest, GetChurnSummaryResponse,
    ListChurnRisksRequest, ListChurnRisksResponse,
};
use serde::Deserialize;

use super::companies::risk;
use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::Address,
        choice, form,
        layout::Section,
        link,
        number::thousands,
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
    page: String,
}

impl Asked {
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
    html! {
        p.note {
            "A company is at risk on a day if neither that day nor the 13 before hold any event."
        }
        (day(asked, address))
        @if let Ok(summary) = &churn.summary { (tabs(summary, asked, address)) }
        (list("Companies", address, &churn.companies, |page| companies(page, asked, address)))
        @match &churn.summary {
            Ok(summary) => (groups::view(summary, asked, address)),
            Err(_) => (part("Countries and industries", &churn.summary, |_| html! {})),
        }
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

fn tabs(summary: &GetChurnSummaryResponse, asked: &Asked, address: &Address) -> Markup {
    let total = summary.total.unwrap_or_default();
    let tab = |change: &str, name: &str, companies: Option<i64>| {
        let is_shown = asked.change == change;
        html! {
            a href=(address.first_page().with("change", change)) aria-current=[is_shown.then_some("page")] {
                (name) " " (companies.map_or(NONE.to_owned(), thousands))
            }
        }
    };
    let ChurnCounts { at_risk, new, recovered, companies } = total;
    // Without the day before nobody can tell what has changed.
    let known = |companies| summary.is_previous_day_published.then_some(companies);
    html! {
        @if let Some(publication) = &summary.publication {
            p {
                (thousands(at_risk)) " of " (thousands(companies)) " companies are at risk on "
                (time::day(&publication.activity_date)) "."
                @if !summary.is_previous_day_published {
                    " The day before is not published, so that nobody can tell what has changed."
                }
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
            td.number { (row.days_since_last_contact.map_or("never".to_owned(), thousands)) }
            td.number { (thousands(row.active_users_7d)) }
            td { (risk(row.is_churn_risk)) }
        }
    }
}

#[cfg(test)]
mod tests;
