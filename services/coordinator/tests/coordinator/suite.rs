//! The environment of a coordinator under test.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, NaiveTime, Utc};
use coordinator::{Connections, Options, Stores, pipeline::DAILY_PIPELINE_YAML};
use proto::{
    monitoring::v1::monitoring_service_client::MonitoringServiceClient,
    notifier::v1::notifier_service_server::NotifierServiceServer,
    pipeline::v1::{
        Run, RunStage, RunState, StageState, TriggerRunRequest, WatchRunRequest,
        pipeline_service_client::PipelineServiceClient,
    },
    provenance::v1::provenance_service_client::ProvenanceServiceClient,
    quarantine::v1::quarantine_service_client::QuarantineServiceClient,
    stage::v1::DateWindow,
};
use runtime::{BackgroundTask, Channel, Clock, Connector, Context, GrpcRoutes, HistoryOptions, Service};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use warehouse::{AuditTrail, SharedWarehouse};

use crate::script::{Script, ScriptedNotifier, ScriptedStages};

/// The start of every test: six in the morning, so yesterday is 2026-02-13.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-02-14T06:00:00Z".parse().unwrap()
}

/// A clock that stands still until a test advances it.
#[derive(Default)]
pub(crate) struct ScriptedClock {
    passed: AtomicU64,
}

impl ScriptedClock {
    pub(crate) fn pass(&self, seconds: u64) {
        self.passed.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for ScriptedClock {
    fn now(&self) -> DateTime<Utc> {
        now() + Duration::from_secs(self.passed.load(Ordering::Relaxed))
    }
}

/// Waits for something that must happen; if it does not, the test fails instead of hanging.
pub(crate) async fn in_time<F: Future>(happening: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), happening).await.expect("it must happen within a minute")
}

/// A warehouse, stage services and a notifier that outlive coordinators.
pub(crate) struct Suite {
    folder: tempfile::TempDir,
    pub(crate) warehouse: SharedWarehouse,
    pub(crate) script: Arc<Script>,
    pub(crate) notifier: ScriptedNotifier,
    pub(crate) clock: Arc<ScriptedClock>,
    connections: Connections,
    pipeline: String,
    lease_ttl: Duration,
    publish_deadline: Option<NaiveTime>,
    audit: Option<Arc<dyn AuditTrail>>,
    services: JoinSet<anyhow::Result<()>>,
}

impl Suite {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let script = Arc::new(Script::default());
        let notifier = ScriptedNotifier::default();
        let clock = Arc::new(ScriptedClock::default());
        let mut services = JoinSet::new();
        let stages = ["ingest-crm", "ingest-api", "transform"].map(|name| {
            let stages = ScriptedStages {
                script: Arc::clone(&script),
                warehouse: Arc::clone(&warehouse),
                clock: Arc::clone(&clock),
            };
            let server = runtime::stage::server(stages, &Context::new());
            (name.to_owned(), serve(Service::new(name).with_grpc(server), &mut services))
        });
        let server = NotifierServiceServer::new(notifier.clone());
        let notifier_channel = serve(Service::new("notifier").with_grpc(server), &mut services);
        Self {
            folder,
            warehouse,
            script,
            notifier,
            clock,
            connections: Connections {
                stages: HashMap::from(stages),
                stage_urls: HashMap::new(),
                connector: Connector::default(),
                notifier: Some(notifier_channel),
            },
            pipeline: DAILY_PIPELINE_YAML
                .replace(
                    "\n    service: ",
                    "\n    retry: { max_attempts: 4, initial_backoff: 5ms, max_backoff: 20ms }\n    service: ",
                )
                // Near zero, so that deferred alerts are due at once.
                .replace(
                    "\n  service: notifier",
                    "\n  retry: { initial_backoff: 1ns, max_backoff: 1ns }\n  service: notifier",
                ),
            lease_ttl: Duration::from_secs(30),
            publish_deadline: None,
            audit: None,
            services,
        }
    }

    /// Edits the pipeline file that coordinators read from now on.
    pub(crate) fn edit_pipeline(&mut self, from: &str, to: &str) {
        assert!(self.pipeline.contains(from), "{from}");
        self.pipeline = self.pipeline.replace(from, to);
    }

    /// Connects coordinators that start from now on to another `service` of this name.
    pub(crate) fn replace(&mut self, name: &str, service: Service) {
        let channel = serve(service, &mut self.services);
        self.connections.stages.insert(name.to_owned(), channel);
    }

    pub(crate) fn set_lease_ttl(&mut self, lease_ttl: Duration) {
        self.lease_ttl = lease_ttl;
    }

    /// Sets the publish deadline of coordinators started from now on.
    pub(crate) fn set_publish_deadline(&mut self, hour: u32) {
        self.publish_deadline = NaiveTime::from_hms_opt(hour, 0, 0);
    }

    /// Lets coordinators that start from now on record what operators do elsewhere.
    pub(crate) fn set_audit_trail(&mut self, trail: Arc<dyn AuditTrail>) {
        self.audit = Some(trail);
    }

    pub(crate) fn disconnect_notifier(&mut self) {
        self.connections.notifier = None;
    }

    /// Starts a coordinator that holds its leases under this name.
    pub(crate) fn start(&self, holder: &str) -> Coordinator {
        let file = self.folder.path().join(format!("{holder}.yaml"));
        std::fs::write(&file, &self.pipeline).unwrap();
        let options = Options {
            pipeline_file: Some(file),
            lease_ttl: self.lease_ttl,
            holder: Some(holder.to_owned()),
            is_only_coordinator: false,
            max_reach: 400,
            stage_connect_timeout: Duration::from_secs(300),
            trace_url: None,
            publish_deadline: self.publish_deadline,
        };
        let mut context = Context::new();
        context.clock = Arc::clone(&self.clock) as _;
        let mut stores = Stores::from(self.warehouse.clone());
        if let Some(audit) = &self.audit {
            stores.audit = Arc::clone(audit);
        }
        let mut service = coordinator::assemble(
            options,
            HistoryOptions::default(),
            self.connections.clone(),
            stores,
            &context,
        )
        .unwrap();
        let mut tasks = JoinSet::new();
        for BackgroundTask { run, .. } in service.background.drain(..) {
            tasks.spawn(run);
        }
        let mut server = JoinSet::new();
        let channel = serve(service, &mut server);
        let client = PipelineServiceClient::new(channel.clone());
        Coordinator { client, channel, context, tasks, _server: server }
    }
}

fn serve(service: Service, tasks: &mut JoinSet<anyhow::Result<()>>) -> Channel {
    let routes = GrpcRoutes::merge(&service.grpc);
    let (channel, task) =
        runtime::channel::in_process(service.name, routes, CancellationToken::new()).unwrap();
    tasks.spawn(task.run);
    channel
}

/// A coordinator under test. Dropping it is like killing its process.
pub(crate) struct Coordinator {
    pub(crate) client: PipelineServiceClient<Channel>,
    channel: Channel,
    pub(crate) context: Context,
    tasks: JoinSet<anyhow::Result<()>>,
    _server: JoinSet<anyhow::Result<()>>,
}

impl Coordinator {
    /// A client of its quarantine.
    pub(crate) fn quarantine(&self) -> QuarantineServiceClient<Channel> {
        QuarantineServiceClient::new(self.channel.clone())
    }

    /// A client of what it says of the pipeline.
    pub(crate) fn monitoring(&self) -> MonitoringServiceClient<Channel> {
        MonitoringServiceClient::new(self.channel.clone())
    }

    /// A client of what it passes on of deliveries.
    pub(crate) fn provenance(&self) -> ProvenanceServiceClient<Channel> {
        ProvenanceServiceClient::new(self.channel.clone())
    }

    /// Triggers a run of everything up to yesterday.
    pub(crate) async fn trigger(&self) -> Run {
        let response = self.client.clone().trigger_run(TriggerRunRequest::default()).await.unwrap();
        response.into_inner().run.unwrap()
    }

    /// Triggers a run of one day.
    pub(crate) async fn trigger_day(&self, day: &str) -> Run {
        let request = TriggerRunRequest { window: Some(window(day, day)), ..TriggerRunRequest::default() };
        self.client.clone().trigger_run(request).await.unwrap().into_inner().run.unwrap()
    }

    /// All states of a run that a watcher receives, up to its end.
    pub(crate) async fn watch(&self, run_id: &str) -> Vec<Run> {
        let request = WatchRunRequest { run_id: run_id.to_owned() };
        let mut states = self.client.clone().watch_run(request).await.unwrap().into_inner();
        let mut reported = Vec::new();
        while let Some(response) = in_time(states.message()).await.unwrap() {
            reported.push(response.run.unwrap());
        }
        reported
    }

    /// Waits for the end of a run.
    pub(crate) async fn ended(&self, run_id: &str) -> Run {
        self.watch(run_id).await.pop().unwrap()
    }

    /// Kills the process without any cleanup.
    pub(crate) async fn kill(mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until all background work has ended on its own.
    pub(crate) async fn drained(mut self) {
        while let Some(ended) = in_time(self.tasks.join_next()).await {
            ended.unwrap().unwrap();
        }
    }
}

pub(crate) fn window(start: &str, end: &str) -> DateWindow {
    DateWindow { start_date: start.to_owned(), end_date: end.to_owned() }
}

pub(crate) fn stage<'a>(run: &'a Run, name: &str) -> &'a RunStage {
    run.stages.iter().find(|stage| stage.stage == name).unwrap()
}

/// The states of the stages in file order.
pub(crate) fn stage_states(run: &Run) -> Vec<StageState> {
    run.stages.iter().map(RunStage::state).collect()
}

pub(crate) fn assert_succeeded(run: &Run) {
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(stage_states(run), [StageState::Succeeded; 4], "{run:#?}");
}
