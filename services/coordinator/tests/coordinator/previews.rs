//! Previews of backfills report what the service finds, and run nothing, however they are asked for.

use std::sync::{Arc, Mutex};

use domain::DateWindow;
use futures::{StreamExt, stream, stream::BoxStream};
use proto::{
    pipeline::v1::{
        BackfillDays, BackfillRequest, BackfillResponse, ListRunsRequest, PreviewBackfillRequest,
        PreviewBackfillResponse, preview_backfill_response::Update as BackfillPreviewed,
    },
    reconciliation::v1::{
        CompanyDayChange, ExplainRequest, ExplainResponse, PreviewCounts, PreviewRequest, PreviewResponse,
        PreviewSummary, ReconcileRequest, ReconcileResponse,
        preview_response::Update,
        reconciliation_service_server::{ReconciliationService, ReconciliationServiceServer},
    },
    stage::v1::StageProgress,
};
use runtime::Service;
use tonic::{Code, Request, Response, Status, Streaming, async_trait};
use warehouse_conformance::scene::{at, publish_run};

use crate::suite::{Coordinator, Suite, window};

/// Answers every preview with [`updates`].
#[derive(Clone, Default)]
struct ScriptedPreviews {
    asked: Arc<Mutex<Vec<PreviewRequest>>>,
}

#[async_trait]
impl ReconciliationService for ScriptedPreviews {
    type ReconcileStream = BoxStream<'static, Result<ReconcileResponse, Status>>;
    type PreviewStream = BoxStream<'static, Result<PreviewResponse, Status>>;

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }

    async fn preview(
        &self,
        request: Request<PreviewRequest>,
    ) -> Result<Response<Self::PreviewStream>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let messages = updates().map(|update| Ok(PreviewResponse { update: Some(update) }));
        Ok(Response::new(stream::iter(messages).boxed()))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }
}

fn updates() -> [Update; 3] {
    let total = PreviewCounts { changed_rows: 7, ..PreviewCounts::default() };
    [
        Update::Progress(StageProgress { units_done: 2, units_total: 5, ..StageProgress::default() }),
        Update::Change(CompanyDayChange::default()),
        Update::Summary(PreviewSummary { total: Some(total), ..PreviewSummary::default() }),
    ]
}

/// A suite whose `ingest-api` previews.
async fn previewing() -> (Suite, ScriptedPreviews) {
    let (mut suite, previews) = (Suite::new().await, ScriptedPreviews::default());
    let server = ReconciliationServiceServer::new(previews.clone());
    suite.replace("ingest-api", Service::new("ingest-api").with_grpc(server));
    (suite, previews)
}

fn five_days() -> PreviewBackfillRequest {
    PreviewBackfillRequest {
        window: Some(window("2026-02-01", "2026-02-05")),
        chunk_days: 3,
        sample_size: 9,
        ..PreviewBackfillRequest::default()
    }
}

/// The same request as clients of the release before put it.
#[expect(deprecated, reason = "that is what is tested")]
fn old_dry_run() -> BackfillRequest {
    let PreviewBackfillRequest { pipeline, window, force, chunk_days, sample_size, beyond_reach } =
        five_days();
    BackfillRequest { pipeline, window, force, chunk_days, dry_run: true, sample_size, beyond_reach }
}

async fn messages<T>(mut answer: Streaming<T>) -> Vec<T> {
    let mut reported = Vec::new();
    while let Some(message) = answer.message().await.unwrap() {
        reported.push(message);
    }
    reported
}

async fn assert_nothing_ran(suite: &Suite, coordinator: &Coordinator) {
    let runs = coordinator.client.clone().list_runs(ListRunsRequest::default()).await.unwrap();
    assert_eq!(runs.into_inner().runs, []);
    assert!(suite.script.executed().is_empty());
}

#[tokio::test]
async fn a_preview_reports_its_days_and_then_what_the_service_finds() {
    let (suite, previews) = previewing().await;
    let coordinator = suite.start("coordinator-0");
    let answer = coordinator.client.clone().preview_backfill(five_days()).await.unwrap();
    let [progress, change, summary] = updates();
    let (Update::Progress(progress), Update::Change(change), Update::Summary(summary)) =
        (progress, change, summary)
    else {
        panic!("another script")
    };
    let expected = [
        BackfillPreviewed::Days(BackfillDays { to_run: 5, total: 5 }),
        BackfillPreviewed::Progress(progress),
        BackfillPreviewed::Change(change),
        BackfillPreviewed::Summary(summary),
    ]
    .map(|update| PreviewBackfillResponse { update: Some(update) });
    assert_eq!(messages(answer.into_inner()).await, expected);
    let windows = vec![window("2026-02-01", "2026-02-03"), window("2026-02-04", "2026-02-05")];
    assert_eq!(*previews.asked.lock().unwrap(), [PreviewRequest { windows, sample_size: 9 }]);
    assert_nothing_ran(&suite, &coordinator).await;
}

#[tokio::test]
#[expect(deprecated, reason = "that is what is tested")]
async fn a_dry_run_of_an_older_client_is_previewed_and_starts_no_run() {
    let (suite, previews) = previewing().await;
    let coordinator = suite.start("coordinator-0");
    let answer = coordinator.client.clone().backfill(old_dry_run()).await.unwrap();
    let days =
        BackfillResponse { days_total: 5, next_date: "2026-02-01".to_owned(), ..BackfillResponse::default() };
    let found = updates().map(|update| BackfillResponse {
        preview: Some(PreviewResponse { update: Some(update) }),
        ..days.clone()
    });
    assert_eq!(messages(answer.into_inner()).await, [vec![days], found.to_vec()].concat());
    assert_eq!(previews.asked.lock().unwrap().len(), 1);
    assert_nothing_ran(&suite, &coordinator).await;
}

#[tokio::test]
async fn a_preview_without_a_day_to_run_only_reports_the_days() {
    let suite = Suite::new().await;
    let days = DateWindow::parse("2026-02-04", "2026-02-05").unwrap();
    publish_run(&suite.warehouse, days, at(1), &[], &[]).await;
    let coordinator = suite.start("coordinator-0");
    // Asking the service would fail: it only executes stages.
    let published = Some(window("2026-02-04", "2026-02-05"));
    let answer = coordinator
        .client
        .clone()
        .preview_backfill(PreviewBackfillRequest { window: published.clone(), ..five_days() })
        .await
        .unwrap();
    let days = BackfillPreviewed::Days(BackfillDays { to_run: 0, total: 2 });
    assert_eq!(messages(answer.into_inner()).await, [PreviewBackfillResponse { update: Some(days) }]);
    let old = BackfillRequest { window: published, ..old_dry_run() };
    let answer = coordinator.client.clone().backfill(old).await.unwrap();
    let all_done = BackfillResponse { days_done: 2, days_total: 2, ..BackfillResponse::default() };
    assert_eq!(messages(answer.into_inner()).await, [all_done]);
}

#[tokio::test]
async fn a_service_that_cannot_preview_is_named_and_nothing_is_run() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    // The scripted service only executes stages.
    let refused = [
        coordinator.client.clone().preview_backfill(five_days()).await.unwrap_err(),
        coordinator.client.clone().backfill(old_dry_run()).await.unwrap_err(),
    ];
    for status in refused {
        // UNIMPLEMENTED would mean that the coordinator itself is too old.
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(status.message().starts_with("ingest-api cannot preview a backfill"), "{status}");
    }
    assert_nothing_ran(&suite, &coordinator).await;
}
