//! Overview: whether the numbers are there, and what needs somebody.

mod cards;
mod grid;
mod incidents;
mod newest_runs;
mod volumes;

use axum::{
    extract::{Query, State},
    http::Uri,
};
use chrono::{Days, NaiveDate};
use contract::message::window_to_proto;
use domain::{DateWindow, date_window::parse_day};
use maud::{Markup, html};
use proto::{
    activity::v1::{GetFreshnessRequest, GetFreshnessResponse, ListPublishedDaysRequest, PublishedDay},
    monitoring::v1::{
        GetPipelineStatusRequest, GetPipelineStatusResponse, ListAlertsRequest, ListAlertsResponse,
    },
    pipeline::v1::ListRunsRequest,
};
use serde::Deserialize;
use tonic::Status;

use crate::{
    backend::Services,
    failure::Failure,
    fields::optional_day,
    html::{
        address::Address,
        layout::Section,
        part::{Answer, known_visitor},
        time,
    },
    site::Console,
    visitor::Visitor,
};
use newest_runs::NewestRuns;

/// Days that the overview covers.
const DAYS: u64 = 60;
/// Runs per page, as many as the contract allows, and pages of them: more are older than what
/// covers most days.
const RUNS: i32 = 200;
const PAGES: usize = 3;
/// Incidents that are shown.
const INCIDENTS: i32 = 20;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    /// The last day to show.
    #[serde(default)]
    until: String,
}

/// What the services have answered.
#[derive(Debug)]
struct Overview {
    window: DateWindow,
    freshness: Answer<GetFreshnessResponse>,
    status: Answer<GetPipelineStatusResponse>,
    alerts: Answer<ListAlertsResponse>,
    runs: Answer<NewestRuns>,
    published: Answer<Vec<PublishedDay>>,
}

/// `GET /`
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Markup, Failure> {
    let until = optional_day(&asked.until)?;
    let overview = load(&visitor.services, until, console.clock.yesterday()).await?;
    let body = html! {
        @if !visitor.is_reader {
            p.note { "Published numbers take the role reader: ask whoever looks after the access policy." }
        }
        @let address = Address::of(&uri);
        p.note { "As of " (time::now(console.clock.now())) ". " a href=(address) { "Refresh" } }
        (view(&overview, &address, console.clock.yesterday()))
    };
    Ok(visitor.page(Section::Overview, "Overview", &body))
}

async fn load(
    services: &Services,
    until: Option<NaiveDate>,
    yesterday: NaiveDate,
) -> Result<Overview, Failure> {
    let days = async {
        // Most often the newest day changes nothing, so that nothing waits for it.
        let expected = window(until, None, yesterday).map_err(Failure::Invalid)?;
        let freshness = async {
            let answer = services.activity().get_freshness(GetFreshnessRequest {}).await;
            answer.map(tonic::Response::into_inner)
        };
        let (freshness, (runs, published)) = tokio::join!(freshness, days(services, expected));
        let newest = freshness.as_ref().ok().and_then(newest_day);
        let window = window(until, newest, yesterday).map_err(Failure::Invalid)?;
        let (runs, published) =
            if window == expected { (runs, published) } else { days(services, window).await };
        Ok::<_, Failure>((window, freshness, runs, published))
    };
    let status = async {
        let answer = services.monitoring().get_pipeline_status(GetPipelineStatusRequest::default()).await;
        answer.map(tonic::Response::into_inner)
    };
    let alerts = async {
        let request =
            ListAlertsRequest { page_size: INCIDENTS, only_open: true, ..ListAlertsRequest::default() };
        services.monitoring().list_alerts(request).await.map(tonic::Response::into_inner)
    };
    let (days, status, alerts) = tokio::join!(days, status, alerts);
    let (window, freshness, runs, published) = days?;
    known_visitor([
        freshness.as_ref().err(),
        status.as_ref().err(),
        alerts.as_ref().err(),
        runs.as_ref().err(),
        published.as_ref().err(),
    ])?;
    Ok(Overview { window, freshness, status, alerts, runs, published })
}

fn newest_day(freshness: &GetFreshnessResponse) -> Option<NaiveDate> {
    parse_day(&freshness.newest.as_ref()?.activity_date)
}

/// The days to show: until yesterday, unless all that is published is older than they would
/// be. Data of long ago is looked at, too.
fn window(
    until: Option<NaiveDate>,
    newest: Option<NaiveDate>,
    yesterday: NaiveDate,
) -> Result<DateWindow, String> {
    let start_of = |end: NaiveDate| end.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(end);
    let end = until.unwrap_or_else(|| match newest {
        Some(newest) if newest < start_of(yesterday) || newest > yesterday => newest,
        _ => yesterday,
    });
    DateWindow::new(start_of(end), end).map_err(|problem| problem.to_string())
}

async fn days(services: &Services, window: DateWindow) -> (Answer<NewestRuns>, Answer<Vec<PublishedDay>>) {
    tokio::join!(runs(services, window), published(services, window))
}

async fn runs(services: &Services, window: DateWindow) -> Result<NewestRuns, Status> {
    let mut newest = NewestRuns::over(window);
    let mut page_token = String::new();
    for _ in 0..PAGES {
        let request = ListRunsRequest {
            page_size: RUNS,
            page_token,
            days: Some(window_to_proto(window)),
            ..ListRunsRequest::default()
        };
        let page = services.pipeline().list_runs(request).await?.into_inner();
        newest.add(page.runs);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            newest.end();
        }
        if page_token.is_empty() || newest.is_complete() {
            break;
        }
    }
    Ok(newest)
}

async fn published(services: &Services, window: DateWindow) -> Result<Vec<PublishedDay>, Status> {
    let request = ListPublishedDaysRequest {
        start_date: window.start().to_string(),
        end_date: window.end().to_string(),
    };
    Ok(services.activity().list_published_days(request).await?.into_inner().days)
}

fn view(overview: &Overview, address: &Address, yesterday: NaiveDate) -> Markup {
    html! {
        (cards::view(&overview.freshness, &overview.status))
        (incidents::view(&overview.alerts))
        (grid::view(overview.window, &overview.runs, &overview.published, &overview.status, address, yesterday))
        (volumes::view(overview.window, &overview.published))
    }
}

#[cfg(test)]
mod tests;
