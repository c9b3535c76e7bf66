//! Quality: rows that could not be used, stages that take ever longer, numbers that differ.

mod comparisons;
mod counts;
mod filter;
mod quarantine;
mod trends;

use axum::{extract::Query, http::Uri};
use maud::{Markup, html};
use proto::{
    monitoring::v1::{ListReconciliationsRequest, ListReconciliationsResponse},
    pipeline::v1::{ListRunsRequest, Run},
    quarantine::v1::{
        CountQuarantinedRowsRequest, ListQuarantinedRowsRequest, ListQuarantinedRowsResponse,
        QuarantineCount, QuarantineFilter, QuarantineGrouping,
    },
};
use tonic::{Response, Status};

use crate::{
    backend::Services,
    failure::Failure,
    html::{
        address::Address,
        layout::Section,
        part::{Answer, known_visitor, part},
    },
    visitor::Visitor,
};
use filter::Asked;

/// Rows of the quarantine per page.
const ROWS: i32 = 50;
/// Groups of rows that are shown.
const GROUPS: usize = 20;
/// Comparisons per page.
const COMPARISONS: i32 = 20;
/// Runs that trends are made of, as many as the contract allows.
const RUNS: i32 = 200;

/// What the services have answered.
#[derive(Debug)]
struct Quality {
    /// `None` for those who may not see rows.
    quarantine: Option<Quarantine>,
    runs: Answer<Vec<Run>>,
    comparisons: Answer<ListReconciliationsResponse>,
}

/// The rows that could not be used.
#[derive(Debug)]
struct Quarantine {
    /// What they have in common.
    filter: QuarantineFilter,
    by_kind: Answer<Vec<QuarantineCount>>,
    by_origin: Answer<Vec<QuarantineCount>>,
    by_day: Answer<Vec<QuarantineCount>>,
    rows: Answer<ListQuarantinedRowsResponse>,
}

/// `GET /quality`
pub(crate) async fn show(visitor: Visitor, uri: Uri, Query(asked): Query<Asked>) -> Result<Markup, Failure> {
    // A day that is none is refused for everybody.
    let filter = asked.filter()?;
    let quality = load(&visitor, &asked, &filter).await?;
    Ok(visitor.page(Section::Quality, "Quality", &view(&quality, &asked, &Address::of(&uri))))
}

async fn load(visitor: &Visitor, asked: &Asked, filter: &QuarantineFilter) -> Result<Quality, Failure> {
    let services = &visitor.services;
    let quarantine = async {
        // Rows as the sources wrote them may name people: services refuse them to readers.
        if visitor.is_operator { Some(quarantine(services, asked, filter).await) } else { None }
    };
    let comparisons = async {
        let request =
            ListReconciliationsRequest { page_size: COMPARISONS, page_token: asked.comparisons.clone() };
        services.monitoring().list_reconciliations(request).await.map(Response::into_inner)
    };
    let (quarantine, runs, comparisons) = tokio::join!(quarantine, newest_runs(services), comparisons);
    let rows = quarantine.as_ref().and_then(|quarantine| quarantine.rows.as_ref().err());
    known_visitor([rows, runs.as_ref().err(), comparisons.as_ref().err()])?;
    Ok(Quality { quarantine, runs, comparisons })
}

async fn quarantine(services: &Services, asked: &Asked, filter: &QuarantineFilter) -> Quarantine {
    let counts = async |by: QuarantineGrouping| {
        // One more, to say whether there are more.
        let max_groups = i32::try_from(GROUPS + 1).unwrap_or(i32::MAX);
        let request = CountQuarantinedRowsRequest { filter: Some(filter.clone()), by: by.into(), max_groups };
        services.quarantine().count_quarantined_rows(request).await.map(|answer| answer.into_inner().groups)
    };
    let rows = async {
        let request = ListQuarantinedRowsRequest {
            filter: Some(filter.clone()),
            page_size: ROWS,
            page_token: asked.page.clone(),
        };
        services.quarantine().list_quarantined_rows(request).await.map(Response::into_inner)
    };
    let (by_kind, by_origin, by_day, rows) = tokio::join!(
        counts(QuarantineGrouping::Kind),
        counts(QuarantineGrouping::Origin),
        counts(QuarantineGrouping::Day),
        rows
    );
    Quarantine { filter: filter.clone(), by_kind, by_origin, by_day, rows }
}

async fn newest_runs(services: &Services) -> Result<Vec<Run>, Status> {
    let request = ListRunsRequest { page_size: RUNS, ..ListRunsRequest::default() };
    Ok(services.pipeline().list_runs(request).await?.into_inner().runs)
}

fn view(quality: &Quality, asked: &Asked, address: &Address) -> Markup {
    html! {
        @match &quality.quarantine {
            Some(quarantine) => {
                (filter::form(asked, address))
                (counts::view(quarantine, address))
                (quarantine::view(&quarantine.rows, &quarantine.filter, address))
            }
            None => section {
                h2 { "Rows in quarantine" }
                p {
                    "Rows that could not be used are shown as their sources wrote them, which may name people. "
                    "The role operator of the access policy opens them."
                }
            }
        }
        (comparisons::view(&quality.comparisons, address))
        (part("Trends of stages", &quality.runs, |runs| trends::view(runs)))
    }
}

#[cfg(test)]
mod tests;
