//! Durable runs of the pipeline: order, leases, retries, alert outbox.
//!
//! The store is the source of truth. Callers create and cancel runs there; the
//! dispatcher leases the next run, the executor starts every stage that is
//! ready and records its outcome, and the outbox alerts people of failures.

mod alerts;
mod attempts;
mod audit_log;
mod audited;
mod backfill;
mod backfill_plan;
mod config;
mod convert;
mod deadline;
mod dispatcher;
mod error;
mod executor;
mod forwarded;
mod gauges;
mod monitoring;
mod monitoring_message;
mod numbers_differ;
pub mod pipeline;
mod preview;
mod progress;
mod provenance;
mod quarantine;
mod quarantine_request;
mod reconcile;
pub mod retry;
mod run_trace;
mod runs;
mod service;
mod shared_read;
mod slow_stage;
mod stage_call;
mod stage_service;
mod stores;
mod trace_link;
mod watch;
mod watchdog;

pub use config::{Args, Connections, Options, StageEndpoint};
pub use error::Error;
pub use numbers_differ::reconcile_command;
pub use stores::Stores;
pub use trace_link::TraceLink;

use std::{collections::HashMap, sync::Arc};

use futures::FutureExt;
use proto::{
    bounds::MAX_REQUEST_BYTES, monitoring::v1::monitoring_service_server::MonitoringServiceServer,
    pipeline::v1::pipeline_service_server::PipelineServiceServer,
    provenance::v1::provenance_service_server::ProvenanceServiceServer,
    quarantine::v1::quarantine_service_server::QuarantineServiceServer,
};
use runtime::{Auditor, Channel, Context, HistoryOptions, Service};
use tokio::sync::Notify;
use warehouse::Horizon;

use crate::{
    alerts::AlertDelivery,
    deadline::PublishDeadline,
    dispatcher::Dispatcher,
    executor::RunExecutor,
    forwarded::Forwarder,
    gauges::Gauges,
    monitoring::MonitoringApi,
    pipeline::Pipeline,
    preview::Previewer,
    progress::ProgressBoard,
    provenance::ProvenanceApi,
    quarantine::QuarantineApi,
    reconcile::Reconciler,
    runs::{RunIds, Runs},
    service::PipelineApi,
    shared_read::SharedReads,
    stage_service::StageService,
    watchdog::Watchdog,
};

/// Starts the stand-alone coordinator.
///
/// # Errors
/// If an endpoint is not a URL, the warehouse cannot be opened, or as [`assemble`].
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let connections = args.connections()?;
    let warehouse = warehouse::open(&args.warehouse.warehouse_url).await?;
    context.audit_in(warehouse.clone());
    assemble(args.options, args.history, connections, warehouse.into(), &context)
}

/// The coordinator over given connections and storage.
///
/// # Errors
/// If the pipeline file is invalid, names a service without a connection, or
/// the lease is too short.
pub fn assemble(
    options: Options,
    history: HistoryOptions,
    connections: Connections,
    stores: Stores,
    context: &Context,
) -> anyhow::Result<Service> {
    let pipeline = Arc::new(options.pipeline()?);
    pipeline.check_services(connections.stages.keys())?;
    let ids = RunIds::default();
    let holder = options.holder(&ids.next(context.clock.now()).to_string());
    let services = stage_services(&connections);
    let (run_queued, alert_written) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let board = ProgressBoard::default();
    let delivery = AlertDelivery {
        policy: pipeline.on_failure.clone(),
        notifier: connections.notifier,
        outbox: Arc::clone(&stores.outbox),
        runs: stores.runs.clone(),
        clock: Arc::clone(&context.clock),
        trace_link: options.trace_url.clone(),
        alert_written: Arc::clone(&alert_written),
        shutdown: context.shutdown.clone(),
        hard_stop: context.hard_stop.clone(),
    };
    let api_service = forwarded::product_api_service(&pipeline, &connections.stages);
    let reconciler =
        api_service.clone().map(|api| reconciler(api, &pipeline, &stores, &alert_written, context));
    let previewer = api_service.clone().map(|(service, channel)| Previewer {
        service,
        channel,
        shutdown: context.shutdown.clone(),
    });
    let forwarder = api_service.map(|(service, channel)| Forwarder { service, channel });
    let executor = RunExecutor {
        pipeline: Arc::clone(&pipeline),
        services,
        connect_timeout: options.stage_connect_timeout,
        runs: Arc::clone(&stores.runs),
        clock: Arc::clone(&context.clock),
        board: board.clone(),
        alert_written: Arc::clone(&alert_written),
        lease_ttl: options.checked_lease_ttl()?,
        shutdown: context.shutdown.clone(),
        hard_stop: context.hard_stop.clone(),
    };
    let gauges = gauges(&pipeline, &stores, context);
    let deadline = options.publish_deadline.map(PublishDeadline);
    let horizon = Horizon { history_start: history.history_start, max_reach_days: options.max_reach };
    let monitoring = monitoring(&pipeline, deadline, horizon, &options, &stores, context);
    let watchdog = deadline.map(|deadline| Watchdog {
        deadline,
        pipeline: Arc::clone(&pipeline),
        published: Arc::clone(&stores.published),
        runs: stores.runs.clone(),
        outbox: Arc::clone(&stores.outbox),
        clock: Arc::clone(&context.clock),
        alert_written,
        shutdown: context.shutdown.clone(),
    });
    let dispatcher = Dispatcher { executor, holder, run_queued: Arc::clone(&run_queued) };
    let runs = Runs {
        pipeline,
        reads: SharedReads::new(stores.runs.clone()),
        store: stores.runs,
        published: stores.published,
        clock: Arc::clone(&context.clock),
        ids,
        board,
        trace_link: options.trace_url.clone(),
        run_queued,
        shutdown: context.shutdown.clone(),
        previewer,
        horizon,
    };
    let (connector, shutdown) = (connections.connector, context.shutdown.clone());
    let auditor = Auditor::new(Arc::clone(&stores.audit), Arc::clone(&context.clock));
    let runs = Arc::new(runs);
    let quarantine =
        QuarantineApi { store: stores.quarantine, runs: Arc::clone(&runs), auditor: auditor.clone() };
    let provenance = ProvenanceApi { forwarder: forwarder.clone() };
    let api = PipelineApi { runs, explainer: forwarder, reconciler, trail: stores.audit, auditor };
    let service = Service::new("coordinator")
        .with_grpc(PipelineServiceServer::new(api).max_decoding_message_size(MAX_REQUEST_BYTES))
        .with_grpc(QuarantineServiceServer::new(quarantine).max_decoding_message_size(MAX_REQUEST_BYTES))
        .with_grpc(MonitoringServiceServer::new(monitoring).max_decoding_message_size(MAX_REQUEST_BYTES))
        .with_grpc(ProvenanceServiceServer::new(provenance).max_decoding_message_size(MAX_REQUEST_BYTES))
        .with_background("the dispatcher", dispatcher.run())
        .with_background("the alert delivery", delivery.run())
        .with_background("the gauges", gauges.run())
        .with_background("the client's TLS files", connector.follow_files(shutdown).map(Ok));
    Ok(match watchdog {
        Some(watchdog) => service.with_background("the watchdog", watchdog.run()),
        None => service,
    })
}

/// What the coordinator says of the pipeline.
fn monitoring(
    pipeline: &Arc<Pipeline>,
    deadline: Option<PublishDeadline>,
    horizon: Horizon,
    options: &Options,
    stores: &Stores,
    context: &Context,
) -> MonitoringApi {
    MonitoringApi {
        pipeline: Arc::clone(pipeline),
        deadline,
        horizon,
        runs: stores.runs.clone(),
        published: Arc::clone(&stores.published),
        backlog: Arc::clone(&stores.backlog),
        quarantine: stores.quarantine.clone(),
        alerts: Arc::clone(&stores.alerts),
        run_audits: Arc::clone(&stores.run_audits),
        reconciliations: Arc::clone(&stores.reconciliations),
        trace_link: options.trace_url.clone(),
        clock: Arc::clone(&context.clock),
    }
}

/// What compares with the product API, which `service` calls.
fn reconciler(
    (service, channel): (String, Channel),
    pipeline: &Pipeline,
    stores: &Stores,
    alert_written: &Arc<Notify>,
    context: &Context,
) -> Reconciler {
    Reconciler {
        pipeline: pipeline.name.clone(),
        service,
        channel,
        runs: stores.runs.clone(),
        log: Arc::clone(&stores.reconciliations),
        outbox: Arc::clone(&stores.outbox),
        clock: Arc::clone(&context.clock),
        alert_written: Arc::clone(alert_written),
        shutdown: context.shutdown.clone(),
    }
}

fn gauges(pipeline: &Arc<Pipeline>, stores: &Stores, context: &Context) -> Gauges {
    Gauges {
        pipeline: Arc::clone(pipeline),
        backlog: Arc::clone(&stores.backlog),
        quarantine: stores.quarantine.clone(),
        published: Arc::clone(&stores.published),
        clock: Arc::clone(&context.clock),
        shutdown: context.shutdown.clone(),
    }
}

/// The services that execute stages, by name.
fn stage_services(connections: &Connections) -> HashMap<String, StageService> {
    let service = |(name, channel): (&String, &runtime::Channel)| {
        let connector = connections.connector.clone();
        let remote =
            connections.stage_urls.get(name).cloned().map(|url| StageService::Remote { url, connector });
        (name.clone(), remote.unwrap_or_else(|| StageService::InProcess(channel.clone())))
    };
    connections.stages.iter().map(service).collect()
}
