//! `PipelineService`: converts messages to operations on runs and back, nothing else.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use chrono::NaiveDate;
use contract::FieldViolations;
use domain::{OperatorAction, run::STAGE_CALL_PRODUCT_API};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use proto::{
    pipeline::v1::{
        BackfillRequest, BackfillResponse, CancelRunRequest, CancelRunResponse, ExplainRequest,
        ExplainResponse, GetRunRequest, GetRunResponse, ListAuditEntriesRequest, ListAuditEntriesResponse,
        ListRunsRequest, ListRunsResponse, PreviewBackfillRequest, PreviewBackfillResponse, ReconcileRequest,
        ReconcileResponse, RetryRunRequest, RetryRunResponse, TriggerRunRequest, TriggerRunResponse,
        UnpublishDaysRequest, UnpublishDaysResponse, WatchRunRequest, WatchRunResponse,
        pipeline_service_server::PipelineService,
    },
    reconciliation::v1::{
        ExplainRequest as ExplainDayRequest, PreviewResponse,
        reconciliation_service_client::ReconciliationServiceClient,
    },
    stage::v1::DateWindow as DateWindowProto,
};
use runtime::{Auditor, Requester};
use tonic::{Request, Response, Status};
use warehouse::{AuditTrail, RunQuery};

use crate::{
    audit_log,
    audited::{Done, audited, days_details, run_details, trigger_details},
    backfill::Backfill,
    backfill_plan::BackfillPlan,
    convert,
    error::Error,
    forwarded::Forwarder,
    progress::RunView,
    reconcile::{Asked, Reconciler},
    runs::{AskedRun, Runs},
};

type Updates<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves `PipelineService`.
pub(crate) struct PipelineApi {
    pub(crate) runs: Arc<Runs>,
    /// Explains company-days; `None` if no stage calls the product API.
    pub(crate) explainer: Option<Forwarder>,
    /// Compares with the product API; `None` if no stage calls it.
    pub(crate) reconciler: Option<Reconciler>,
    pub(crate) trail: Arc<dyn AuditTrail>,
    pub(crate) auditor: Auditor,
}

#[async_trait]
impl PipelineService for PipelineApi {
    type WatchRunStream = Updates<WatchRunResponse>;
    type BackfillStream = Updates<BackfillResponse>;
    type PreviewBackfillStream = Updates<PreviewBackfillResponse>;
    type ReconcileStream = Updates<ReconcileResponse>;

    async fn trigger_run(
        &self,
        request: Request<TriggerRunRequest>,
    ) -> Result<Response<TriggerRunResponse>, Status> {
        let (requester, asked) = (Requester::of(&request), request.into_inner());
        let action = (OperatorAction::Trigger, trigger_details(&asked));
        audited(&self.auditor, &requester, action, self.trigger(asked, &requester)).await
    }

    async fn unpublish_days(
        &self,
        request: Request<UnpublishDaysRequest>,
    ) -> Result<Response<UnpublishDaysResponse>, Status> {
        let (requester, asked) = (Requester::of(&request), request.into_inner());
        let action = (OperatorAction::Unpublish, days_details(asked.window.as_ref(), false, false));
        audited(&self.auditor, &requester, action, self.unpublish(asked, &requester)).await
    }

    async fn get_run(&self, request: Request<GetRunRequest>) -> Result<Response<GetRunResponse>, Status> {
        let run_id = convert::run_id(&request.into_inner().run_id)?;
        let view = self.runs.get(run_id).await?;
        Ok(Response::new(GetRunResponse { run: Some(convert::run(&view)) }))
    }

    async fn list_runs(
        &self,
        request: Request<ListRunsRequest>,
    ) -> Result<Response<ListRunsResponse>, Status> {
        let ListRunsRequest { page_size, page_token, states, triggers, days } = request.into_inner();
        let query = RunQuery {
            states: convert::run_states(&states)?,
            triggers: convert::run_triggers(&triggers)?,
            days: days.as_ref().map(convert::days).transpose()?,
            after: convert::page_cursor(&page_token)?,
        };
        let page = self.runs.list(&query, convert::page_size(page_size)?).await?;
        Ok(Response::new(ListRunsResponse {
            runs: page.runs.iter().map(convert::run).collect(),
            next_page_token: page.next.map(convert::page_token).unwrap_or_default(),
        }))
    }

    async fn watch_run(
        &self,
        request: Request<WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let run_id = convert::run_id(&request.into_inner().run_id)?;
        let mut watch = self.runs.watch(run_id);
        // Read before the stream begins, so that an unknown run fails the call itself.
        let first = watch.next().await?;
        let changes = stream::try_unfold(watch, async |mut watch| {
            let view = watch.next().await?;
            Ok::<_, Error>(view.map(|view| (view, watch)))
        });
        let responses = stream::iter(first.map(Ok))
            .chain(changes)
            .map_ok(|view| WatchRunResponse { run: Some(convert::run(&view)) });
        Ok(Response::new(Box::pin(responses.map_err(Status::from))))
    }

    async fn cancel_run(
        &self,
        request: Request<CancelRunRequest>,
    ) -> Result<Response<CancelRunResponse>, Status> {
        let (requester, CancelRunRequest { run_id }) = (Requester::of(&request), request.into_inner());
        let action = (OperatorAction::Cancel, run_details(&run_id));
        let cancelling = async {
            let view = self.runs.cancel(convert::run_id(&run_id)?).await?;
            let answer = CancelRunResponse { run: Some(convert::run(&view)) };
            Ok(Done { answer, message: "run cancelled".to_owned() })
        };
        audited(&self.auditor, &requester, action, cancelling).await
    }

    async fn retry_run(
        &self,
        request: Request<RetryRunRequest>,
    ) -> Result<Response<RetryRunResponse>, Status> {
        let (requester, RetryRunRequest { run_id }) = (Requester::of(&request), request.into_inner());
        let action = (OperatorAction::Retry, run_details(&run_id));
        let retrying = async {
            let view = self.runs.retry(convert::run_id(&run_id)?).await?;
            let answer = RetryRunResponse { run: Some(convert::run(&view)) };
            Ok(Done { answer, message: "run queued again".to_owned() })
        };
        audited(&self.auditor, &requester, action, retrying).await
    }

    async fn backfill(
        &self,
        request: Request<BackfillRequest>,
    ) -> Result<Response<Self::BackfillStream>, Status> {
        let requester = Requester::of(&request);
        #[expect(deprecated, reason = "clients of the release before preview backfills this way")]
        let BackfillRequest { pipeline, window, force, chunk_days, beyond_reach, dry_run, sample_size } =
            request.into_inner();
        let details = days_details(window.as_ref(), force, beyond_reach);
        let asked = AskedDays { pipeline, window, force, chunk_days, beyond_reach };
        if dry_run {
            return self.dry_run(&self.plan(asked).await?, sample_size).await;
        }
        let action = (OperatorAction::Backfill, details);
        audited(&self.auditor, &requester, action, self.start_backfill(asked, &requester)).await
    }

    async fn list_audit_entries(
        &self,
        request: Request<ListAuditEntriesRequest>,
    ) -> Result<Response<ListAuditEntriesResponse>, Status> {
        Ok(Response::new(audit_log::list(&*self.trail, request.into_inner()).await?))
    }

    async fn preview_backfill(
        &self,
        request: Request<PreviewBackfillRequest>,
    ) -> Result<Response<Self::PreviewBackfillStream>, Status> {
        let PreviewBackfillRequest { pipeline, window, force, chunk_days, sample_size, beyond_reach } =
            request.into_inner();
        let plan = self.plan(AskedDays { pipeline, window, force, chunk_days, beyond_reach }).await?;
        let found = self.preview(&plan, sample_size).await?;
        let days = stream::iter([Ok(convert::previewed_days(&plan))]);
        Ok(Response::new(days.chain(found.map_ok(convert::preview_backfill_response)).boxed()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let ExplainRequest { company_id, activity_date } = request.into_inner();
        let explainer = self.explainer.as_ref().ok_or(Error::NoExplanation(STAGE_CALL_PRODUCT_API))?;
        let asked = ExplainDayRequest { company_id, activity_date };
        let ask = async |channel| ReconciliationServiceClient::new(channel).explain(asked).await;
        let answer = explainer.ask(ask, Error::CannotExplain).await?;
        Ok(Response::new(ExplainResponse { explanation: answer.explanation }))
    }

    async fn reconcile(
        &self,
        request: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        let requested_by = Requester::of(&request).name;
        let ReconcileRequest { pipeline, window, company_ids, sample_size, sample_seed, report } =
            request.into_inner();
        convert::check_pipeline(&pipeline, &self.runs.pipeline.name)?;
        let window = convert::required_window(window.as_ref(), self.runs.clock.yesterday())?;
        let reconciler = self.reconciler.clone().ok_or(Error::NoReconciliation(STAGE_CALL_PRODUCT_API))?;
        let asked = Asked { window, company_ids, sample_size, sample_seed, report, requested_by };
        Ok(Response::new(reconciler.reconcile(asked).await?.boxed()))
    }
}

/// The days of a backfill, as a run of it and a preview of it name them.
struct AskedDays {
    pipeline: String,
    window: Option<DateWindowProto>,
    force: bool,
    chunk_days: u32,
    beyond_reach: bool,
}

impl PipelineApi {
    async fn trigger(
        &self,
        asked: TriggerRunRequest,
        requester: &Requester,
    ) -> Result<Done<TriggerRunResponse>, Status> {
        let TriggerRunRequest {
            pipeline,
            window,
            force,
            accept_empty_days,
            beyond_reach,
            rebuild_days,
            from_staging,
        } = asked;
        convert::check_pipeline(&pipeline, &self.runs.pipeline.name)?;
        let yesterday = self.runs.clock.yesterday();
        let window = window.map(|window| convert::window(&window, yesterday)).transpose()?;
        let accept_empty_days = convert::days_of_run("accept_empty_days", &accept_empty_days, window)?;
        let rebuild_days = convert::days_of_run("rebuild_days", &rebuild_days, window)?;
        if from_staging && rebuild_days.is_empty() {
            return Err(FieldViolations::of(
                "rebuild_days",
                "is empty: say which days to build from staging",
            )
            .into());
        }
        if let Some(window) = window {
            self.runs.check_reach(window, beyond_reach).await?;
        }
        let (view, created) = self
            .runs
            .trigger(
                AskedRun { window, force, accept_empty_days, rebuild_days, from_staging },
                &requester.name,
            )
            .await?;
        let answer = TriggerRunResponse { run: Some(convert::run(&view)), created };
        Ok(Done { answer, message: requested_run(&view, created) })
    }

    async fn unpublish(
        &self,
        asked: UnpublishDaysRequest,
        requester: &Requester,
    ) -> Result<Done<UnpublishDaysResponse>, Status> {
        let UnpublishDaysRequest { pipeline, window } = asked;
        convert::check_pipeline(&pipeline, &self.runs.pipeline.name)?;
        // Any published day can be unpublished, however it was published.
        let window = convert::required_window(window.as_ref(), NaiveDate::MAX)?;
        let (view, created) = self.runs.unpublish(window, &requester.name).await?;
        let answer = UnpublishDaysResponse { run: Some(convert::run(&view)), created };
        Ok(Done { answer, message: requested_run(&view, created) })
    }

    /// Plans a backfill; it advances as its stream is read.
    async fn start_backfill(
        &self,
        asked: AskedDays,
        requester: &Requester,
    ) -> Result<Done<Updates<BackfillResponse>>, Status> {
        let plan = self.plan(asked).await?;
        let days = plan.days_total - plan.days_done();
        let message = format!("days to run: {days}, runs: {}", plan.chunks.len());
        let backfill = Backfill::new(Arc::clone(&self.runs), plan, requester.name.clone());
        let updates = stream::try_unfold(backfill, async |mut backfill| {
            let update = backfill.next().await?;
            Ok::<_, Error>(update.map(|update| (update, backfill)))
        });
        let responses = updates.map_ok(|update| convert::backfill_response(&update));
        Ok(Done { answer: Box::pin(responses.map_err(Status::from)), message })
    }

    async fn plan(&self, asked: AskedDays) -> Result<BackfillPlan, Error> {
        let AskedDays { pipeline, window, force, chunk_days, beyond_reach } = asked;
        convert::check_pipeline(&pipeline, &self.runs.pipeline.name)?;
        let window = convert::required_window(window.as_ref(), self.runs.clock.yesterday())?;
        self.runs.check_reach(window, beyond_reach).await?;
        self.runs.plan_backfill(window, convert::chunk_days(chunk_days), force).await
    }

    /// Streams what running `plan` would change: nothing if it runs no day.
    async fn preview(
        &self,
        plan: &BackfillPlan,
        sample_size: u32,
    ) -> Result<Updates<PreviewResponse>, Status> {
        if plan.chunks.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let previewer = self.runs.previewer.clone().ok_or(Error::NoPreview(STAGE_CALL_PRODUCT_API))?;
        Ok(previewer.preview(plan, sample_size).await?.boxed())
    }

    /// The same preview in the messages of the release before.
    async fn dry_run(
        &self,
        plan: &BackfillPlan,
        sample_size: u32,
    ) -> Result<Response<Updates<BackfillResponse>>, Status> {
        let found = self.preview(plan, sample_size).await?;
        let days = convert::planned_backfill(plan);
        let first = stream::iter([Ok(days.clone())]);
        let responses = found.map_ok(move |found| convert::dry_run_response(days.clone(), found));
        Ok(Response::new(first.chain(responses).boxed()))
    }
}

/// What became of a request for a run.
fn requested_run(view: &RunView, created: bool) -> String {
    format!("run {} {}", view.run.run_id, if created { "created" } else { "found" })
}
