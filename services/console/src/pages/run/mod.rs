//! A run: how it goes, what it did with rows, what was wrong, and what can be done.

mod act;
mod attempts;
mod errors;
mod findings;
mod gantt;
mod head;
mod live;
mod stages;

#[cfg(test)]
mod tests;

pub(crate) use act::{cancel, retry};
pub(crate) use head::took;
pub(crate) use live::{content, follow, part};

use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use presentation::run_end::has_ended;
use proto::{
    monitoring::v1::{ListAlertsRequest, ListAuditResultsRequest},
    pipeline::v1::{GetRunRequest, Run},
};
use tonic::Status;

use crate::{failure::Failure, fields::Fields, html::layout::Section, site::Console, visitor::Visitor};
use findings::Findings;

/// The most alerts of one run that the page shows.
const ALERTS: i32 = 50;

/// `GET /runs/{run_id}`
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(run_id): Path<String>,
    Query(fields): Query<Fields>,
) -> Result<Markup, Failure> {
    let (run, findings) = load(&visitor, &run_id).await?;
    let body = html! {
        @if fields.is_set("found") {
            p.notice role="status" { "This run covers the days already, so no other one was started." }
        }
        (part(&run, console.clock.now()))
        (act::actions(&run, visitor.may_act(), None))
        (findings::view(&run, &findings))
    };
    Ok(if has_ended(&run) {
        visitor.page(Section::Runs, &title(&run), &body)
    } else {
        visitor.page_that_moves(Section::Runs, &title(&run), &body)
    })
}

async fn load(visitor: &Visitor, run_id: &str) -> Result<(Run, Findings), Failure> {
    let (mut pipeline, mut audits, mut alerts) =
        (visitor.services.pipeline(), visitor.services.monitoring(), visitor.services.monitoring());
    let run_id = run_id.to_owned();
    let audits_of = ListAuditResultsRequest { run_id: run_id.clone(), ..ListAuditResultsRequest::default() };
    let alerts_of =
        ListAlertsRequest { page_size: ALERTS, run_id: run_id.clone(), ..ListAlertsRequest::default() };
    let (run, audits, alerts) = tokio::join!(
        pipeline.get_run(GetRunRequest { run_id }),
        audits.list_audit_results(audits_of),
        alerts.list_alerts(alerts_of),
    );
    let run = run?.into_inner().run.ok_or_else(|| Status::internal("the answer has no run"))?;
    let findings = Findings {
        audits: audits.map(tonic::Response::into_inner),
        alerts: alerts.map(|answer| answer.into_inner().alerts),
    };
    Ok((run, findings))
}

fn title(run: &Run) -> String {
    format!("Run {}", run.run_id)
}
