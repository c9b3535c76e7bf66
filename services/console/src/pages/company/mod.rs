//! Company: what it did, what the CRM says of it, and why a number is what it is.

mod curve;
mod explained;
mod explained_past;
mod header;
mod range;
mod rows;
mod versions;

use axum::{
    extract::{Path, Query},
    http::Uri,
};
use chrono::NaiveDate;
use domain::{DateWindow, date_window::parse_day};
use maud::{Markup, html};
use proto::{
    activity::v1::{
        CompanyActivity, CompanyActivityRollUp, GetCompanyActivityRequest, GetCompanyActivityResponse,
        GetFreshnessRequest, ListCompanyActivityRequest, RollUpCompanyActivityRequest, RollUpPeriod,
    },
    pipeline::v1::ExplainRequest,
    provenance::v1::{ListCompanyVersionsRequest, ListCompanyVersionsResponse},
    reconciliation::v1::Explanation,
};
use serde::Deserialize;
use tonic::{Code, Response, Status};

use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::{self, Address},
        layout::Section,
        part::{Answer, empty, known_visitor, part},
    },
    visitor::Visitor,
};

/// Versions of the CRM per page.
const VERSIONS: i32 = 50;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    from: String,
    to: String,
    period: String,
    explain: String,
    /// By which column the days are ordered, and whether the least comes first.
    sort: String,
    direction: String,
    page: String,
}

impl Asked {
    /// Weeks or months; `None` for days.
    fn period(&self) -> Option<RollUpPeriod> {
        match self.period.as_str() {
            "week" => Some(RollUpPeriod::Week),
            "month" => Some(RollUpPeriod::Month),
            _ => None,
        }
    }
}

/// What the company did in the range.
#[derive(Debug)]
enum Activity {
    Days(Vec<CompanyActivity>),
    Periods(Vec<CompanyActivityRollUp>),
}

/// What the services have answered.
#[derive(Debug)]
struct Company {
    company_id: String,
    /// The newest row.
    newest: Answer<GetCompanyActivityResponse>,
    /// The days that are shown. `None` if nothing is published.
    range: Answer<Option<(DateWindow, Activity)>>,
    versions: Answer<ListCompanyVersionsResponse>,
    /// Of the day that the address asks for.
    explanation: Option<Answer<Explanation>>,
}

impl Company {
    /// The newest published day, if the company has a row of it.
    fn newest_day(&self) -> Option<NaiveDate> {
        parse_day(&self.newest.as_ref().ok()?.activity.as_ref()?.activity_date)
    }

    /// Whether no service has ever heard of it.
    fn is_unknown(&self) -> bool {
        let is_missing = |status: &Status| status.code() == Code::NotFound;
        let has_rows = match &self.range {
            Ok(Some((_, Activity::Days(rows)))) => !rows.is_empty(),
            Ok(Some((_, Activity::Periods(periods)))) => periods.iter().any(|period| period.days > 0),
            Ok(None) => false,
            Err(_) => true,
        };
        let is_in_crm = match &self.versions {
            Ok(page) => !page.versions.is_empty(),
            Err(status) => !is_missing(status),
        };
        self.newest.as_ref().is_err_and(is_missing) && !has_rows && !is_in_crm
    }
}

/// `GET /companies/{company_id}`
pub(crate) async fn show(
    visitor: Visitor,
    Path(company_id): Path<String>,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Result<Markup, Failure> {
    let company_id = address::company_of(&company_id).to_owned();
    let company = load(&visitor.services, company_id, &asked).await?;
    known_visitor([
        company.newest.as_ref().err(),
        company.range.as_ref().err(),
        company.versions.as_ref().err(),
        company.explanation.as_ref().and_then(|it| it.as_ref().err()),
    ])?;
    if company.is_unknown() {
        return Err(Failure::NotFound(format!(
            "There is no company {}: it has no row on these days, and was never in the CRM. \
             Search for it under Companies.",
            company.company_id
        )));
    }
    let body = view(&company, &asked, &Address::of(&uri));
    Ok(visitor.page(Section::Companies, &format!("Company {}", company.company_id), &body))
}

async fn load(services: &Services, company_id: String, asked: &Asked) -> Result<Company, Failure> {
    let newest = async {
        let request = GetCompanyActivityRequest { company_id: company_id.clone(), ..Default::default() };
        services.activity().get_company_activity(request).await.map(Response::into_inner)
    };
    let versions = async {
        let request = ListCompanyVersionsRequest {
            company_id: company_id.clone(),
            page_size: VERSIONS,
            page_token: asked.page.clone(),
        };
        services.provenance().list_company_versions(request).await.map(Response::into_inner)
    };
    let explanation = async {
        if asked.explain.is_empty() {
            return None;
        }
        let request = ExplainRequest { company_id: company_id.clone(), activity_date: asked.explain.clone() };
        let answer = services.pipeline().explain(request).await.map(Response::into_inner);
        Some(
            answer
                .and_then(|it| it.explanation.ok_or_else(|| Status::internal("the answer explains nothing"))),
        )
    };
    let (newest, versions, explanation, range) =
        tokio::join!(newest, versions, explanation, range(services, &company_id, asked));
    let range = match range {
        Ok(range) => Ok(range),
        Err(Failure::Service(status)) => Err(status),
        Err(other) => return Err(other),
    };
    Ok(Company { company_id, newest, range, versions, explanation })
}

async fn range(
    services: &Services,
    company_id: &str,
    asked: &Asked,
) -> Result<Option<(DateWindow, Activity)>, Failure> {
    // Who says the last day asks for no other.
    let newest = if asked.to.is_empty() {
        let freshness = services.activity().get_freshness(GetFreshnessRequest {}).await?.into_inner();
        freshness.newest.map(|newest| newest.activity_date).unwrap_or_default()
    } else {
        String::new()
    };
    let Some(days) = range::window(&asked.from, &asked.to, &newest)? else {
        return Ok(None);
    };
    let (company_id, start_date, end_date) =
        (company_id.to_owned(), days.start().to_string(), days.end().to_string());
    let activity = if let Some(period) = asked.period() {
        let request =
            RollUpCompanyActivityRequest { company_id, start_date, end_date, period: period.into() };
        Activity::Periods(services.activity().roll_up_company_activity(request).await?.into_inner().roll_ups)
    } else {
        let request = ListCompanyActivityRequest {
            company_id,
            start_date,
            end_date,
            // No range has more days than a page has rows.
            page_size: 1_000,
            ..Default::default()
        };
        Activity::Days(services.activity().list_company_activity(request).await?.into_inner().activities)
    };
    Ok(Some((days, activity)))
}

fn view(company: &Company, asked: &Asked, address: &Address) -> Markup {
    html! {
        (header::view(&company.newest, matches!(company.range, Ok(None)), address))
        @if let Some(explanation) = &company.explanation {
            div #explained { (part(&format!("Why {} is what it is", asked.explain), explanation, |it| explained::view(it, address))) }
        }
        (part("Activity", &company.range, |range| activity(range.as_ref(), company, asked, address)))
        (versions::view(&company.versions, address))
    }
}

fn activity(
    range: Option<&(DateWindow, Activity)>,
    company: &Company,
    asked: &Asked,
    address: &Address,
) -> Markup {
    let Some((days, activity)) = range else {
        return empty("Nothing is published yet.", "There is activity once a day has been published.");
    };
    html! {
        (range::form(*days, company.newest_day(), asked, address))
        @match activity {
            Activity::Days(found) if found.is_empty() => {
                (empty("The company has no row on these days.", "Choose earlier or later days."))
            }
            Activity::Days(found) => {
                (curve::of_days(*days, found).show())
                (rows::days(&company.company_id, found, asked, address))
            }
            Activity::Periods(found) => {
                (curve::of_periods(*days, found, asked.period()).show())
                (rows::periods(found, asked.period()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
