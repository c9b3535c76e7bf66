//! `MonitoringService`: says how the pipeline is doing.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use async_trait::async_trait;
use domain::DateWindow;
use proto::monitoring::v1::{
    GetPipelineStatusRequest, GetPipelineStatusResponse, ListAlertsRequest, ListAlertsResponse,
    ListAuditResultsRequest, ListAuditResultsResponse, ListReconciliationsRequest,
    ListReconciliationsResponse, monitoring_service_server::MonitoringService,
};
use runtime::Clock;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use warehouse::{
    ActivityReader, AlertQuery, AlertReader, BacklogReader, Horizon, QuarantineReader, ReconciliationLog,
    RecordedAlert, Run, RunAuditReader, RunReader,
};

use crate::{
    convert,
    deadline::PublishDeadline,
    error::Error,
    monitoring_message::{self as message, AuditsOf},
    pipeline::Pipeline,
    trace_link::TraceLink,
};

/// The most runs that are named as active.
const ACTIVE_RUNS: u32 = 200;

/// Serves `MonitoringService`.
pub(crate) struct MonitoringApi {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) deadline: Option<PublishDeadline>,
    pub(crate) horizon: Horizon,
    pub(crate) runs: Arc<dyn RunReader>,
    pub(crate) published: Arc<dyn ActivityReader>,
    pub(crate) backlog: Arc<dyn BacklogReader>,
    pub(crate) quarantine: Arc<dyn QuarantineReader>,
    pub(crate) alerts: Arc<dyn AlertReader>,
    pub(crate) run_audits: Arc<dyn RunAuditReader>,
    pub(crate) reconciliations: Arc<dyn ReconciliationLog>,
    /// Links an alert to the trace of its run.
    pub(crate) trace_link: Option<TraceLink>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl MonitoringService for MonitoringApi {
    async fn get_pipeline_status(
        &self,
        request: Request<GetPipelineStatusRequest>,
    ) -> Result<Response<GetPipelineStatusResponse>, Status> {
        convert::check_pipeline(&request.into_inner().pipeline, &self.pipeline.name)?;
        Ok(Response::new(self.status().await?))
    }

    async fn list_alerts(
        &self,
        request: Request<ListAlertsRequest>,
    ) -> Result<Response<ListAlertsResponse>, Status> {
        let ListAlertsRequest { page_size, page_token, run_id, only_open } = request.into_inner();
        let run_id = if run_id.is_empty() { None } else { Some(convert::run_id(&run_id)?) };
        let query = AlertQuery { run_id, only_open, after: message::alert_cursor(&page_token)? };
        Ok(Response::new(self.page_of_alerts(&query, convert::page_size(page_size)?).await?))
    }

    async fn list_audit_results(
        &self,
        request: Request<ListAuditResultsRequest>,
    ) -> Result<Response<ListAuditResultsResponse>, Status> {
        let asked = message::audits_of(&request.into_inner())?;
        Ok(Response::new(self.audits(asked).await?))
    }

    async fn list_reconciliations(
        &self,
        request: Request<ListReconciliationsRequest>,
    ) -> Result<Response<ListReconciliationsResponse>, Status> {
        let ListReconciliationsRequest { page_size, page_token } = request.into_inner();
        let (limit, before) = (convert::page_size(page_size)?, message::reconciliation_cursor(&page_token)?);
        // One more than requested, to learn whether another page follows.
        let found = self.reconciliations.reconciliations(before, limit.saturating_add(1)).await;
        Ok(Response::new(message::reconciliations(found.map_err(Error::from)?, limit)))
    }
}

impl MonitoringApi {
    async fn status(&self) -> Result<GetPipelineStatusResponse, Error> {
        let now = self.clock.now();
        let due = match self.deadline {
            Some(deadline) => {
                let (published, runs) = (&*self.published, &*self.runs);
                deadline.first_open(published, runs, &self.pipeline.name, self.horizon, now).await?
            }
            None => None,
        };
        let backlog = self.backlog.backlog().await?;
        let active = self.runs.active_runs(&self.pipeline.name, ACTIVE_RUNS).await?;
        let quarantined = self.quarantine.count_open_quarantine().await?;
        Ok(GetPipelineStatusResponse {
            pipeline: self.pipeline.name.clone(),
            stages: self.pipeline.stages.iter().map(message::stage).collect(),
            deadline: due.map(|due| message::deadline(due, now)),
            backlog: Some(message::backlog(&backlog, &quarantined)),
            active_run_ids: active.iter().map(Uuid::to_string).collect(),
        })
    }

    async fn page_of_alerts(&self, query: &AlertQuery, limit: u32) -> Result<ListAlertsResponse, Error> {
        // One more than requested, to learn whether another page follows.
        let mut alerts = self.alerts.alerts(query, limit.saturating_add(1)).await?;
        let has_more = alerts.len() > limit as usize;
        alerts.truncate(limit as usize);
        let next = alerts.last().filter(|_| has_more).map(message::alert_token);
        let runs = self.runs_of(&alerts).await?;
        let trace_url = |found: &RecordedAlert| {
            let run = runs.get(&found.alert.run_id)?.as_ref()?;
            self.trace_link.as_ref()?.of(run)
        };
        Ok(ListAlertsResponse {
            alerts: alerts.iter().map(|found| message::alert(found, trace_url(found))).collect(),
            next_page_token: next.unwrap_or_default(),
        })
    }

    /// The runs of alerts, if their traces can be linked to.
    async fn runs_of(&self, alerts: &[RecordedAlert]) -> Result<HashMap<Uuid, Option<Run>>, Error> {
        let mut runs = HashMap::new();
        if self.trace_link.is_some() {
            for run_id in alerts.iter().map(|found| found.alert.run_id).filter(|run_id| !run_id.is_nil()) {
                if let Entry::Vacant(run) = runs.entry(run_id) {
                    run.insert(self.runs.run(run_id).await?);
                }
            }
        }
        Ok(runs)
    }

    async fn audits(&self, asked: AuditsOf) -> Result<ListAuditResultsResponse, Error> {
        let (run_id, day) = match asked {
            AuditsOf::Run(run_id) => {
                self.runs.run(run_id).await?.ok_or(Error::RunNotFound(run_id))?;
                (run_id, None)
            }
            AuditsOf::Day(day) => {
                let ledger = self.published.published_days(DateWindow::day(day)).await?;
                let entry = ledger.first().ok_or(Error::NotPublished(day))?;
                (convert::run_id(&entry.run_id)?, Some(day))
            }
        };
        let found = self.run_audits.run_audits(run_id).await?;
        Ok(message::audits(run_id, found, day))
    }
}
