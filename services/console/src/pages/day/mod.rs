//! Day: what is published of it, what it is made of, and whether it still is what the source says.

mod audits;
mod history;
mod published;
mod reconcile;
mod sources;

use axum::{
    extract::{Path, Query},
    http::Uri,
};
use chrono::NaiveDate;
use domain::date_window::parse_day;
use maud::{Markup, html};
use proto::{
    activity::v1::{
        ListPublicationsRequest, ListPublicationsResponse, ListPublishedDaysRequest, PublishedDay,
    },
    monitoring::v1::{ListAuditResultsRequest, ListAuditResultsResponse},
    provenance::v1::{GetDaySourcesRequest, GetDaySourcesResponse},
};
use serde::Deserialize;
use tonic::Response;

use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::Address,
        layout::Section,
        part::{Answer, known_visitor},
    },
    visitor::Visitor,
};
pub(crate) use reconcile::{SAMPLE, reconcile};

/// Publications per page.
const PUBLICATIONS: i32 = 20;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    page: String,
}

/// What the services have answered.
#[derive(Debug)]
struct Day {
    date: NaiveDate,
    /// `None` if the day is not published.
    published: Answer<Option<PublishedDay>>,
    sources: Answer<GetDaySourcesResponse>,
    audits: Answer<ListAuditResultsResponse>,
    history: Answer<ListPublicationsResponse>,
}

/// `GET /days/{date}`
pub(crate) async fn show(
    visitor: Visitor,
    Path(date): Path<String>,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Markup, Failure> {
    let date = of_address(&date)?;
    let day = load(&visitor.services, date, &asked).await;
    known_visitor([
        day.published.as_ref().err(),
        day.sources.as_ref().err(),
        day.audits.as_ref().err(),
        day.history.as_ref().err(),
    ])?;
    let body = view(&day, &visitor, &Address::of(&uri));
    Ok(visitor.page(Section::Overview, &format!("Day {date}"), &body))
}

fn of_address(date: &str) -> Result<NaiveDate, Failure> {
    let problem = || Failure::NotFound(format!("{date} is not a day. Days are written as 2026-02-12."));
    parse_day(date).ok_or_else(problem)
}

async fn load(services: &Services, date: NaiveDate, asked: &Asked) -> Day {
    let activity_date = date.to_string();
    let published = async {
        let request =
            ListPublishedDaysRequest { start_date: activity_date.clone(), end_date: activity_date.clone() };
        services.activity().list_published_days(request).await.map(|answer| answer.into_inner().days.pop())
    };
    let sources = async {
        let request = GetDaySourcesRequest { activity_date: activity_date.clone() };
        services.provenance().get_day_sources(request).await.map(Response::into_inner)
    };
    let audits = async {
        let request = ListAuditResultsRequest { activity_date: activity_date.clone(), ..Default::default() };
        services.monitoring().list_audit_results(request).await.map(Response::into_inner)
    };
    let history = async {
        let request = ListPublicationsRequest {
            activity_date: activity_date.clone(),
            page_size: PUBLICATIONS,
            page_token: asked.page.clone(),
        };
        services.activity().list_publications(request).await.map(Response::into_inner)
    };
    let (published, sources, audits, history) = tokio::join!(published, sources, audits, history);
    Day { date, published, sources, audits, history }
}

fn view(day: &Day, visitor: &Visitor, address: &Address) -> Markup {
    html! {
        (neighbours(day.date))
        (published::view(day.date, &day.published))
        (reconcile::offer(day.date, visitor, reconcile::SAMPLE))
        (sources::view(&day.sources))
        (audits::view(&day.audits))
        (history::view(&day.history, address))
    }
}

fn neighbours(date: NaiveDate) -> Markup {
    html! {
        nav.row aria-label="Neighbouring days" {
            @if let Some(before) = date.pred_opt() { a href=(format!("/days/{before}")) rel="prev" { "← " (before) } }
            @if let Some(after) = date.succ_opt() { a href=(format!("/days/{after}")) rel="next" { (after) " →" } }
            a href=(Address::new("/runs").with("from", date).with("to", date)) { "Runs over this day" }
            a href=(Address::new("/churn").with("date", date)) { "Churn on this day" }
        }
    }
}

#[cfg(test)]
mod tests;
