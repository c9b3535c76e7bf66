//! Reconciliations are forwarded a month at a time, add up, and alert people once.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures::{StreamExt, stream, stream::BoxStream};
use proto::{
    monitoring::v1::ListReconciliationsRequest,
    notifier::v1::AlertCause,
    pipeline::v1::{ReconcileRequest, ReconcileResponse, reconcile_response::Update},
    reconciliation::v1::{
        self as found, DifferenceCount, DifferenceKind, ExplainRequest, ExplainResponse, Mismatch,
        PreviewRequest, PreviewResponse, ReconciliationSummary, UsageNumbers,
        reconcile_response::Update as Found,
        reconciliation_service_server::{ReconciliationService, ReconciliationServiceServer},
    },
    stage::v1::StageProgress,
};
use runtime::Service;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::suite::{Coordinator, Suite, window};

/// Finds one difference in each call, on its first day.
#[derive(Clone, Default)]
struct ScriptedReconciliations {
    asked: Arc<Mutex<Vec<found::ReconcileRequest>>>,
    /// Whether the answer ends before its summary.
    ends_early: Arc<AtomicBool>,
}

#[async_trait]
impl ReconciliationService for ScriptedReconciliations {
    type ReconcileStream = BoxStream<'static, Result<found::ReconcileResponse, Status>>;
    type PreviewStream = BoxStream<'static, Result<PreviewResponse, Status>>;

    async fn reconcile(
        &self,
        request: Request<found::ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        let request = request.into_inner();
        if request.company_ids.iter().any(String::is_empty) {
            return Err(Status::invalid_argument("company_ids: company_id is empty"));
        }
        let by_kind = vec![DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 1 }];
        let updates = [
            Found::Progress(StageProgress {
                units_done: 1,
                activity: "compared".into(),
                ..Default::default()
            }),
            Found::Mismatch(Mismatch {
                company_id: "acme".into(),
                activity_date: request.start_date.clone(),
                source: Some(UsageNumbers { active_users: 1, events: 2 }),
                kind: DifferenceKind::LateAtSource.into(),
                ..Mismatch::default()
            }),
            Found::Summary(ReconciliationSummary {
                compared: 100,
                mismatches: 1,
                invalid_records: 2,
                by_kind,
                ..Default::default()
            }),
        ];
        self.asked.lock().unwrap().push(request);
        // An update that the coordinator does not know comes first.
        let messages = [None].into_iter().chain(updates.map(Some));
        let messages = messages.map(|update| Ok(found::ReconcileResponse { update }));
        let sent = if self.ends_early.load(Ordering::Relaxed) { 3 } else { 4 };
        Ok(Response::new(stream::iter(messages.take(sent).collect::<Vec<_>>()).boxed()))
    }

    async fn preview(&self, _: Request<PreviewRequest>) -> Result<Response<Self::PreviewStream>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }
}

async fn reconciling() -> (Suite, ScriptedReconciliations) {
    let (mut suite, script) = (Suite::new().await, ScriptedReconciliations::default());
    let server = ReconciliationServiceServer::new(script.clone());
    suite.replace("ingest-api", Service::new("ingest-api").with_grpc(server));
    (suite, script)
}

fn forty_days() -> ReconcileRequest {
    ReconcileRequest {
        window: Some(window("2026-01-01", "2026-02-09")),
        sample_size: 7,
        sample_seed: "seed".into(),
        ..ReconcileRequest::default()
    }
}

async fn updates(coordinator: &Coordinator, request: ReconcileRequest) -> Result<Vec<Update>, Status> {
    let mut answer = coordinator.client.clone().reconcile(request).await?.into_inner();
    let mut updates = Vec::new();
    while let Some(ReconcileResponse { update }) = answer.message().await? {
        updates.extend(update);
    }
    Ok(updates)
}

#[tokio::test]
async fn a_long_window_is_asked_for_a_month_at_a_time_and_adds_up() {
    let (suite, script) = reconciling().await;
    let coordinator = suite.start("coordinator-0");
    let updates = updates(&coordinator, forty_days()).await.unwrap();
    let asked = script.asked.lock().unwrap().clone();
    let asked: Vec<_> = asked
        .iter()
        .map(|call| (call.start_date.as_str(), call.end_date.as_str(), call.sample_size, &*call.sample_seed))
        .collect();
    assert_eq!(asked, [("2026-01-01", "2026-01-31", 7, "seed"), ("2026-02-01", "2026-02-09", 7, "seed")]);
    let (mut steps, mut days, mut summary) = (Vec::new(), Vec::new(), None);
    for update in updates {
        assert_eq!(summary, None, "the summary is the last message");
        match update {
            Update::Progress(step) => steps.push((step.units_done, step.units_total)),
            Update::Difference(difference) => days.push(difference.activity_date),
            Update::Summary(totals) => summary = Some(totals),
        }
    }
    assert_eq!(steps, [(1, 40), (32, 40)]);
    assert_eq!(days, ["2026-01-01", "2026-02-01"]);
    let by_kind = vec![DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 2 }];
    let expected =
        ReconciliationSummary { compared: 200, mismatches: 2, invalid_records: 4, by_kind, awaiting_run: 0 };
    assert_eq!(summary, Some(expected));
}

#[tokio::test]
async fn what_differs_alerts_people_once_if_it_is_to_be_reported() {
    let (suite, _) = reconciling().await;
    let coordinator = suite.start("coordinator-0");
    updates(&coordinator, forty_days()).await.unwrap();
    for _ in 0..2 {
        updates(&coordinator, ReconcileRequest { report: true, ..forty_days() }).await.unwrap();
    }
    let key = "pl_company_activity_daily/reconciliation/2026-01-01..2026-02-09/sample-7-seed/2026-02-14";
    let alert = suite.notifier.reported_by_key(key).await;
    assert_eq!((alert.cause(), alert.stage.as_str()), (AlertCause::NumbersDiffer, "reconciliation"));
    assert_eq!((alert.run_id.as_str(), alert.business_date.as_str()), ("", "2026-02-09"));
    let message = &alert.error_message;
    assert!(
        message.starts_with("2 of 200 compared company-days of 2026-01-01..2026-02-09 differ"),
        "{message}"
    );
    assert!(message.contains("2026-01-01 acme: nothing published, 1 users, 2 events"), "{message}");
}

#[tokio::test]
async fn a_comparison_that_ends_before_its_summary_has_failed() {
    let (suite, script) = reconciling().await;
    script.ends_early.store(true, Ordering::Relaxed);
    let coordinator = suite.start("coordinator-0");
    let failed = updates(&coordinator, forty_days()).await.unwrap_err();
    assert_eq!(failed.code(), Code::Internal);
    assert!(failed.message().starts_with("ingest-api ended the comparison before its summary"), "{failed}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_field_or_the_services_words() {
    let (suite, script) = reconciling().await;
    let coordinator = suite.start("coordinator-0");
    let refused = async |request| updates(&coordinator, request).await.unwrap_err();
    let future = ReconcileRequest { window: Some(window("2026-02-14", "2026-02-14")), ..forty_days() };
    assert_eq!(refused(future).await.code(), Code::InvalidArgument);
    assert_eq!(
        refused(ReconcileRequest { window: None, ..forty_days() }).await.code(),
        Code::InvalidArgument
    );
    let other = ReconcileRequest { pipeline: "another".into(), ..forty_days() };
    assert_eq!(refused(other).await.code(), Code::InvalidArgument);
    assert!(script.asked.lock().unwrap().is_empty());
    let odd = refused(ReconcileRequest { company_ids: vec![String::new()], ..forty_days() }).await;
    assert_eq!((odd.code(), odd.message()), (Code::InvalidArgument, "company_ids: company_id is empty"));
}

#[tokio::test]
async fn a_service_that_cannot_reconcile_is_named() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let refused = updates(&coordinator, forty_days()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("ingest-api cannot compare with the product API"), "{refused}");
}

#[tokio::test]
async fn a_comparison_is_on_record_once_it_came_to_its_end() {
    let (suite, script) = reconciling().await;
    let coordinator = suite.start("coordinator-0");
    script.ends_early.store(true, Ordering::Relaxed);
    updates(&coordinator, forty_days()).await.unwrap_err();
    let list = async || {
        let asked = ListReconciliationsRequest::default();
        coordinator.monitoring().list_reconciliations(asked).await.unwrap().into_inner().reconciliations
    };
    assert_eq!(list().await, []);
    script.ends_early.store(false, Ordering::Relaxed);
    let companies = ReconcileRequest { company_ids: vec!["acme".into(), "bolt".into()], ..forty_days() };
    updates(&coordinator, companies).await.unwrap();
    let recorded = list().await.pop().unwrap();
    assert_eq!(recorded.window, Some(window("2026-01-01", "2026-02-09")));
    assert_eq!((recorded.companies, recorded.sample_size), (2, 7));
    assert_eq!(recorded.requested_by, "anonymous");
    assert!(recorded.start_time.is_some() && recorded.end_time.is_some());
    let summary = recorded.summary.unwrap();
    assert_eq!((summary.compared, summary.mismatches, summary.invalid_records), (200, 2, 4));
    let by_kind = DifferenceCount { kind: DifferenceKind::LateAtSource.into(), count: 2 };
    assert_eq!(summary.by_kind, [by_kind]);
}
