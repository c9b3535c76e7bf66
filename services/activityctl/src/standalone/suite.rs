//! Wires all services into one over in-process channels.

use std::{collections::HashMap, sync::Arc};

use anyhow::Context as _;
use clap::{Arg, Args};
use proto::{bounds::MAX_REQUEST_BYTES, stage::v1::stage_service_server::StageServiceServer};
use runtime::{BackgroundTask, Channel, Context, GrpcRoutes, HistoryOptions, Service};
use tokio_util::sync::CancellationToken;

use super::{data_folder::DataFolder, events, stage_router::StageRouter};

/// The services' own options, and where the warehouse is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(
    mut_arg("crm_url", |arg| default_help(arg, "<DATA_DIR>/crm/daily/")),
    mut_arg("crm_archive_url", |arg| default_help(arg, "<DATA_DIR>/landing/")),
    mut_arg("landing_url", |arg| default_help(arg, "<DATA_DIR>/landing/")),
)]
pub struct SuiteOptions {
    /// The warehouse [default: SQLite in the data folder]
    #[arg(long, env = "WAREHOUSE_URL", value_name = "URL", hide_env_values = true)]
    pub warehouse_url: Option<String>,

    #[command(flatten, next_help_heading = "CRM exports")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub ingest_crm: ingest_crm::Options,

    #[command(flatten, next_help_heading = "Product API")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub ingest_api: ingest_api::Options,

    #[command(flatten, next_help_heading = "Events (optional)")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub ingest_events: ingest_events::Options,

    #[command(flatten, next_help_heading = "Audits")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub transform: transform::Options,

    #[command(flatten, next_help_heading = "Runs")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub coordinator: coordinator::Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub history: HistoryOptions,

    #[command(flatten, next_help_heading = "Alerts")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub notifier: notifier::Options,

    #[command(flatten, next_help_heading = "Questions")]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub activity: activity::Options,
}

/// Adds the default to a flag's help.
fn default_help(arg: Arg, default: &str) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    arg.help(format!("{help} [default: {default}]"))
}

impl SuiteOptions {
    /// Puts everything not set otherwise into the data folder.
    ///
    /// # Errors
    /// Never in practice: the folder's path is absolute.
    pub fn with_defaults_in(mut self, folder: &DataFolder) -> anyhow::Result<Self> {
        if self.warehouse_url.is_none() {
            self.warehouse_url = Some(folder.warehouse_url()?);
            // The lock on the folder excludes every other coordinator, so an
            // interrupted run continues at once instead of after its lease
            // expires.
            self.coordinator.holder.get_or_insert_with(|| "standalone".to_owned());
            self.coordinator.is_only_coordinator = true;
        }
        if self.ingest_crm.crm_url.is_none() {
            self.ingest_crm.crm_url = Some(folder.folder_url("crm/daily")?);
        }
        if self.ingest_crm.archive.crm_archive_url.is_none() {
            self.ingest_crm.archive.crm_archive_url = Some(folder.folder_url("landing")?);
        }
        if self.ingest_api.landing.landing_url.is_none() {
            self.ingest_api.landing.landing_url = Some(folder.folder_url("landing")?);
        }
        Ok(self)
    }
}

/// Assembles all services over one warehouse. They call each other over in-memory gRPC.
///
/// # Errors
/// If the warehouse cannot be opened or a service cannot be assembled.
pub async fn assemble(options: SuiteOptions, context: &Context) -> anyhow::Result<Service> {
    let url = options.warehouse_url.as_deref().context("--warehouse-url is missing")?;
    let warehouse = warehouse::open(url).await.context("cannot open the warehouse")?;
    context.audit_in(warehouse.clone());
    let ingest_crm = ingest_crm::assemble(options.ingest_crm, warehouse.clone(), context)?;
    let ingest_api =
        ingest_api::assemble(options.ingest_api, options.history, warehouse.clone().into(), context)?;
    let pipeline = options.coordinator.pipeline()?;
    let ingest_events = events::assemble(options.ingest_events, &pipeline, warehouse.clone(), context)?;
    let transform = transform::assemble(options.transform, warehouse.clone(), context)?;
    let notifier = notifier::assemble(&options.notifier, warehouse.clone(), context)?;
    let activity = activity::assemble(&options.activity, warehouse.clone(), context);

    let executors: Vec<Service> =
        [ingest_crm, ingest_api, transform].into_iter().chain(ingest_events).collect();

    let mut inside = InProcess::default();
    let mut router = StageRouter::default();
    let mut stages = HashMap::new();
    for executor in &executors {
        let channel = inside.serve(executor)?;
        router = router.with_executor(executor.stages, &channel);
        stages.insert(executor.name.to_owned(), channel);
    }
    let alerts = inside.serve(&notifier)?;
    let connections = coordinator::Connections { stages, notifier: Some(alerts), ..Default::default() };
    let coordinator =
        coordinator::assemble(options.coordinator, options.history, connections, warehouse.into(), context)?;

    let mut suite = Service::new("standalone")
        .with_grpc(StageServiceServer::new(router).max_decoding_message_size(MAX_REQUEST_BYTES));
    add(&mut suite, inside.outliving(coordinator));
    for service in executors.into_iter().chain([notifier, activity]) {
        add(&mut suite, service);
    }
    Ok(suite)
}

/// Adds a service to the suite, except what stands in front of it there already: the router of
/// stages, and what the coordinator passes on. A port can serve a name only once.
fn add(suite: &mut Service, service: Service) {
    for grpc in service.grpc {
        if suite.grpc.iter().all(|known| known.name != grpc.name) {
            suite.grpc.push(grpc);
        }
    }
    suite.background.extend(service.background);
}

/// The in-process servers.
#[derive(Debug, Default)]
struct InProcess {
    stop: CancellationToken,
    tasks: Vec<BackgroundTask>,
}

impl InProcess {
    /// Serves all gRPC services of `service`, and returns a channel to them.
    fn serve(&mut self, service: &Service) -> anyhow::Result<Channel> {
        let routes = GrpcRoutes::merge(&service.grpc);
        let (channel, task) = runtime::channel::in_process(service.name, routes, self.stop.clone())?;
        self.tasks.push(task);
        Ok(channel)
    }

    /// Adds the servers to the service that calls them. They stop only after
    /// its background tasks have ended, so those never lose their servers.
    fn outliving(self, mut caller: Service) -> Service {
        let stop_with_the_last = Arc::new(self.stop.drop_guard());
        for task in &mut caller.background {
            let held = Arc::clone(&stop_with_the_last);
            let run = std::mem::replace(&mut task.run, Box::pin(std::future::pending()));
            task.run = Box::pin(async move {
                let outcome = run.await;
                drop(held);
                outcome
            });
        }
        caller.background.extend(self.tasks);
        caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn in_process_servers_outlive_every_task_of_their_caller() {
        let inside = InProcess::default();
        let stopped = inside.stop.clone();
        let (end_first, first) = tokio::sync::oneshot::channel::<()>();
        let (end_second, second) = tokio::sync::oneshot::channel::<()>();
        let caller = Service::new("caller")
            .with_background("first", async { Ok(first.await?) })
            .with_background("second", async { Ok(second.await?) });
        let mut tasks = inside.outliving(caller).background.into_iter().map(|task| tokio::spawn(task.run));
        let (first, second) = (tasks.next().unwrap(), tasks.next().unwrap());
        end_first.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert!(!stopped.is_cancelled());
        end_second.send(()).unwrap();
        second.await.unwrap().unwrap();
        assert!(stopped.is_cancelled());
    }
}
