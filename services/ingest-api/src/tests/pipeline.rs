//! Runs of the pipeline on a real warehouse and a real landing.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{
    DateWindow, Progress, RunState, RunTrigger,
    run::{DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
};
use proto::{
    provenance::v1::provenance_service_client::ProvenanceServiceClient,
    reconciliation::v1::reconciliation_service_client::ReconciliationServiceClient,
};
use runtime::Channel;
use runtime::{
    Clock, Context, GrpcRoutes, HistoryOptions, Service,
    stage::{StageCall, StageError, StageExecutor, StageOutcome},
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;
use warehouse::{
    Fence, NewRun, NewStage, SharedWarehouse, StageFailure, WindowChoice, inspection::StagingInspector,
};
use warehouse_sqlite::SqliteWarehouse;

use super::{
    scripted_api::ScriptedApi,
    setup::{api, clock, options},
};
use crate::{plan::FetchPlan, stage::ProductApiStage};

pub(super) struct Pipeline {
    folder: TempDir,
    pub(super) warehouse: SharedWarehouse,
    pub(super) progress: Arc<Mutex<Vec<Progress>>>,
}

impl Pipeline {
    pub(super) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        Self { folder, warehouse, progress: Arc::default() }
    }

    /// Shows what the engine staged and set aside.
    pub(super) async fn inspector(&self) -> impl StagingInspector {
        let url = format!("sqlite://{}/warehouse.sqlite", self.folder.path().display());
        SqliteWarehouse::open(&url).await.unwrap()
    }

    fn landing_url(&self) -> String {
        format!("file://{}/landing/", self.folder.path().display())
    }

    /// The service over this warehouse, as a process would assemble it.
    pub(super) fn service(&self, server: &ScriptedApi) -> Service {
        let mut options = options(&server.url, &["--product-api-max-attempts=2"]);
        options.landing.landing_url = Some(self.landing_url());
        let mut context = Context::new();
        context.clock = Arc::new(clock());
        crate::assemble(options, HistoryOptions::default(), self.warehouse.clone().into(), &context).unwrap()
    }

    /// A client of the service, and its server.
    pub(super) fn reconciliation(
        &self,
        server: &ScriptedApi,
    ) -> (ReconciliationServiceClient<Channel>, AbortOnDropHandle<anyhow::Result<()>>) {
        let (channel, serving) = self.serve(server);
        (ReconciliationServiceClient::new(channel), serving)
    }

    /// A client of what the service says of deliveries, and its server.
    pub(super) fn provenance(
        &self,
        server: &ScriptedApi,
    ) -> (ProvenanceServiceClient<Channel>, AbortOnDropHandle<anyhow::Result<()>>) {
        let (channel, serving) = self.serve(server);
        (ProvenanceServiceClient::new(channel), serving)
    }

    fn serve(&self, server: &ScriptedApi) -> (Channel, AbortOnDropHandle<anyhow::Result<()>>) {
        let routes = GrpcRoutes::merge(&self.service(server).grpc);
        let (channel, task) = runtime::channel::in_process("test", routes, CancellationToken::new()).unwrap();
        (channel, AbortOnDropHandle::new(tokio::spawn(task.run)))
    }

    pub(super) fn stage(&self, server: &ScriptedApi, flags: &[&str]) -> ProductApiStage {
        let options = options(&server.url, flags);
        ProductApiStage {
            api: api(&options),
            storage: landing::Storage::open(&self.landing_url()).unwrap(),
            staging: self.warehouse.clone(),
            clock: Arc::new(clock()),
            concurrency: usize::from(options.product_api_concurrency),
            plan: FetchPlan { repoll_days: options.repoll_days, history_start: None },
            answers: options.answers,
        }
    }

    /// Starts a run over `window` with the stage RUNNING.
    pub(super) async fn begin(&self, window: DateWindow) -> Fence {
        let now = clock().now();
        let stage = |stage: &str, depends_on: &[&str]| NewStage {
            stage: stage.to_owned(),
            service: "test".to_owned(),
            depends_on: depends_on.iter().map(ToString::to_string).collect(),
        };
        let new = NewRun {
            run_id: Uuid::now_v7(),
            pipeline: DAILY_PIPELINE.to_owned(),
            window: WindowChoice::Days(window),
            trigger: RunTrigger::Manual,
            force: true,
            accept_empty_days: std::collections::BTreeSet::new(),
            rebuild_days: std::collections::BTreeSet::new(),
            stages: vec![
                stage(STAGE_CALL_PRODUCT_API, &[]),
                stage(STAGE_BUILD_FACT, &[STAGE_CALL_PRODUCT_API]),
                stage(STAGE_VALIDATE, &[STAGE_BUILD_FACT]),
            ],
            requested_by: "tester".to_owned(),
            traceparent: None,
            created_at: now,
        };
        self.warehouse.create_run(new).await.unwrap();
        let ttl = Duration::from_secs(600);
        let run = self.warehouse.acquire_run(DAILY_PIPELINE, "test", ttl, now).await.unwrap().unwrap().run;
        self.begin_stage(run.run_id, run.lease_epoch, STAGE_CALL_PRODUCT_API).await
    }

    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str) -> Fence {
        self.warehouse.begin_stage(run_id, epoch, stage, clock().now()).await.unwrap()
    }

    /// Executes the stage under a fence.
    pub(super) async fn execute(
        &self,
        stage: &ProductApiStage,
        fence: &Fence,
        window: DateWindow,
    ) -> Result<StageOutcome, StageError> {
        let call = StageCall {
            fence: fence.clone(),
            pipeline: DAILY_PIPELINE.to_owned(),
            window,
            accept_empty_days: std::collections::BTreeSet::new(),
        };
        let progress = Arc::clone(&self.progress);
        let sink = Arc::new(move |step| progress.lock().unwrap().push(step));
        stage.execute(call, sink).await
    }

    /// A whole run of the stage over `window`, ended according to its outcome.
    pub(super) async fn ingest(
        &self,
        server: &ScriptedApi,
        window: DateWindow,
    ) -> Result<StageOutcome, StageError> {
        let fence = self.begin(window).await;
        let flags = ["--page-size=2", "--product-api-max-attempts=2"];
        let outcome = self.execute(&self.stage(server, &flags), &fence, window).await;
        let now = clock().now();
        if let Err(error) = &outcome {
            let failure = StageFailure {
                code: "TEST".to_owned(),
                message: error.message.clone(),
                will_retry: false,
                is_interruption: false,
            };
            self.warehouse.fail_stage(&fence, &failure, None, now).await.unwrap();
            self.warehouse.finish_run(fence.run_id, fence.epoch, now).await.unwrap();
        } else {
            self.publish(&fence, window).await;
        }
        outcome
    }

    async fn publish(&self, fence: &Fence, window: DateWindow) {
        let now = clock().now();
        let build = self.begin_stage(fence.run_id, fence.epoch, STAGE_BUILD_FACT).await;
        self.warehouse.build_fact(&build, window, now, Arc::new(|_| ())).await.unwrap();
        let validate = self.begin_stage(fence.run_id, fence.epoch, STAGE_VALIDATE).await;
        self.warehouse.publish_fact(&validate, window, &[], now).await.unwrap();
        let state = self.warehouse.finish_run(fence.run_id, fence.epoch, now).await.unwrap();
        assert_eq!(state, RunState::Succeeded);
    }

    /// Staged records by day, of the days that were fetched.
    pub(super) async fn staged(&self, window: DateWindow) -> Vec<(String, u64)> {
        let days = self.warehouse.usage_days(window).await.unwrap();
        days.into_iter().map(|state| (state.day.to_string(), state.records)).collect()
    }

    /// Where a landed day is.
    pub(super) fn landed_path(&self, day: &str) -> PathBuf {
        self.folder.path().join(format!("landing/product_usage/{day}/usage_{day}.json"))
    }

    /// Every landed file, finished or not, relative to the landing.
    pub(super) fn landed_files(&self) -> Vec<String> {
        let root = self.folder.path().join("landing");
        let mut files = files_below(&root);
        files.sort();
        files.iter().map(|file| Path::new(file).strip_prefix(&root).unwrap().display().to_string()).collect()
    }
}

/// Every file below a folder.
pub(super) fn files_below(folder: &Path) -> Vec<String> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path.display().to_string()] })
        .collect()
}
