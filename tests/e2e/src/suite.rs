//! The suite as a whole: in one process, or each service in its own.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use domain::{
    DateWindow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::{
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    pipeline::v1::{
        GetRunRequest, Run, TriggerRunRequest, TriggerRunResponse, WatchRunRequest,
        pipeline_service_client::PipelineServiceClient,
    },
    stage::v1::{DateWindow as DateWindowProto, stage_service_client::StageServiceClient},
};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::{
    binaries::SERVICES,
    cli::{self, Outcome},
    fact_table::FactTable,
    in_time,
    process::Process,
    runs::has_ended,
    sources::{API_TOKEN, Sources, folder_url},
    workspace_root,
};

/// The command line's binary, which is also the suite in one process.
pub const ACTIVITYCTL: &str = "activityctl";

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// How the suite is spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `activityctl standalone`.
    Standalone,
    /// Each service a process, on one SQLite file.
    Separate,
}

/// Flags and environment beyond what every test needs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    flags: BTreeMap<&'static str, Vec<String>>,
    environment: Vec<(String, String)>,
}

impl Settings {
    /// Adds a flag of one service; `standalone` takes the flags of all.
    #[must_use]
    pub fn flag(mut self, service: &'static str, flag: &str, value: &str) -> Self {
        self.flags.entry(service).or_default().extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// Adds an environment variable of every process.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether a flag was added.
    fn has(&self, service: &str, flag: &str) -> bool {
        self.flags.get(service).is_some_and(|flags| flags.iter().any(|given| given == flag))
    }
}

/// A running suite with sources and storage of its own.
#[derive(Debug)]
pub struct Suite {
    /// What it reads.
    pub sources: Sources,
    layout: Layout,
    settings: Settings,
    processes: BTreeMap<&'static str, Process>,
    // Last, so that it is removed after the processes have ended.
    folder: TempDir,
}

impl Suite {
    /// Starts a suite without any data.
    ///
    /// # Errors
    /// If a process does not start.
    pub async fn start(layout: Layout, settings: Settings) -> Result<Self> {
        let folder = TempDir::new()?;
        let sources = Sources::start(&folder.path().join("sources")).await?;
        let mut suite = Self { sources, layout, settings, processes: BTreeMap::new(), folder };
        fs::write(suite.pipeline_file(), impatient_pipeline()?)?;
        match layout {
            Layout::Standalone => suite.spawn(ACTIVITYCTL, ANY_PORT).await?,
            Layout::Separate => {
                // The coordinator comes last: it is told where the others listen.
                for service in SERVICES.into_iter().filter(|service| *service != "coordinator") {
                    suite.spawn(service, ANY_PORT).await?;
                }
                suite.spawn("coordinator", ANY_PORT).await?;
            }
        }
        Ok(suite)
    }

    /// Starts a suite in one process.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn standalone() -> Result<Self> {
        Self::start(Layout::Standalone, Settings::default()).await
    }

    /// Starts a suite with a process for each service.
    ///
    /// # Errors
    /// If a process does not start.
    pub async fn separate() -> Result<Self> {
        Self::start(Layout::Separate, Settings::default()).await
    }

    /// Starts a service again, or the whole suite if it is one process, at the
    /// address where it was before.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&mut self, service: &'static str) -> Result<()> {
        let process = self.processes.remove(self.host_of(service)).context("it was never started")?;
        let address = process.address();
        drop(process);
        self.spawn(self.host_of(service), address).await
    }

    /// The process that runs a service.
    ///
    /// # Errors
    /// If it was never started.
    pub fn process(&mut self, service: &'static str) -> Result<&mut Process> {
        let host = self.host_of(service);
        self.processes.get_mut(host).with_context(|| format!("{host} was never started"))
    }

    /// What all processes wrote so far.
    #[must_use]
    pub fn logs(&self) -> String {
        self.processes.values().map(Process::log).collect()
    }

    fn host_of(&self, service: &'static str) -> &'static str {
        match self.layout {
            Layout::Standalone => ACTIVITYCTL,
            Layout::Separate => service,
        }
    }

    async fn spawn(&mut self, binary: &'static str, listen: SocketAddr) -> Result<()> {
        let arguments = match self.layout {
            Layout::Standalone => self.standalone_arguments()?,
            Layout::Separate => self.service_arguments(binary)?,
        };
        let process = Process::start(binary, listen, arguments, &self.settings.environment).await?;
        self.processes.insert(binary, process);
        Ok(())
    }

    fn standalone_arguments(&self) -> Result<Vec<String>> {
        let mut arguments =
            vec!["standalone".to_owned(), "--data-dir".to_owned(), self.data().display().to_string()];
        for service in SERVICES {
            arguments.extend(self.own_arguments(service)?);
        }
        Ok(arguments)
    }

    fn service_arguments(&self, service: &'static str) -> Result<Vec<String>> {
        let mut arguments = vec!["--warehouse-url".to_owned(), self.warehouse_url()];
        arguments.extend(self.own_arguments(service)?);
        if service == "coordinator" {
            for (name, process) in &self.processes {
                match *name {
                    "activity" => {}
                    "notifier" => arguments.extend(["--notifier-url".to_owned(), process.url()]),
                    stage => arguments
                        .extend(["--stage-endpoint".to_owned(), format!("{stage}={}", process.url())]),
                }
            }
        }
        Ok(arguments)
    }

    /// What one service is told, whether it is a process of its own or not.
    fn own_arguments(&self, service: &'static str) -> Result<Vec<String>> {
        let mut arguments = self.settings.flags.get(service).cloned().unwrap_or_default();
        let mut default = |flag: &str, value: String| {
            if !self.settings.has(service, flag) {
                arguments.extend([flag.to_owned(), value]);
            }
        };
        match service {
            "ingest-crm" => default("--crm-url", self.sources.crm_url()?),
            "ingest-api" => {
                default("--product-api-url", self.sources.product_api_url());
                default("--product-api-token", API_TOKEN.to_owned());
                default("--landing-url", folder_url(&self.folder.path().join("landing"))?);
                default("--product-api-min-backoff", "10ms".to_owned());
                default("--product-api-max-backoff", "50ms".to_owned());
            }
            "notifier" => default("--notify-backoff", "10ms".to_owned()),
            "coordinator" => default("--pipeline-file", self.pipeline_file().display().to_string()),
            _ => {}
        }
        Ok(arguments)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pipeline_file(&self) -> PathBuf {
        self.folder.path().join("pipeline.yaml")
    }

    fn warehouse_file(&self) -> PathBuf {
        self.data().join("warehouse.sqlite")
    }

    fn warehouse_url(&self) -> String {
        format!("sqlite://{}", self.warehouse_file().display())
    }

    /// The folder that everything of this suite lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where a service serves gRPC.
    ///
    /// # Errors
    /// If it was never started.
    pub fn address_of(&self, service: &'static str) -> Result<SocketAddr> {
        let host = self.host_of(service);
        Ok(self.processes.get(host).with_context(|| format!("{host} was never started"))?.address())
    }

    /// The same as a URL.
    ///
    /// # Errors
    /// If it was never started.
    pub fn url_of(&self, service: &'static str) -> Result<String> {
        Ok(format!("http://{}", self.address_of(service)?))
    }

    fn channel(&self, service: &'static str) -> Result<Channel> {
        Ok(Endpoint::from_shared(self.url_of(service)?)?.connect_lazy())
    }

    /// A client of the coordinator.
    ///
    /// # Errors
    /// If it was never started.
    pub fn pipeline(&self) -> Result<PipelineServiceClient<Channel>> {
        Ok(PipelineServiceClient::new(self.channel("coordinator")?))
    }

    /// A client of the read side.
    ///
    /// # Errors
    /// If it was never started.
    pub fn activity(&self) -> Result<CompanyActivityServiceClient<Channel>> {
        Ok(CompanyActivityServiceClient::new(self.channel("activity")?))
    }

    /// A client of a service that executes stages, past the coordinator.
    ///
    /// # Errors
    /// If it was never started.
    pub fn stage_service(&self, service: &'static str) -> Result<StageServiceClient<Channel>> {
        Ok(StageServiceClient::new(self.channel(service)?))
    }

    /// Runs a command of the command line against a service.
    ///
    /// # Errors
    /// If it cannot be run.
    pub async fn command(&self, service: &'static str, arguments: &[&str]) -> Result<Outcome> {
        let url = self.url_of(service)?;
        cli::run(ACTIVITYCTL, &[arguments, &["--server", &url]].concat(), &[]).await
    }

    /// Triggers a run over `window` with the command line and waits for it.
    ///
    /// # Errors
    /// If it does not succeed.
    pub async fn publish(&self, window: DateWindow) -> Result<()> {
        self.trigger_and_wait(window, &[]).await
    }

    /// Triggers a run over days that may be published already.
    ///
    /// # Errors
    /// If it does not succeed.
    pub async fn publish_again(&self, window: DateWindow) -> Result<()> {
        self.trigger_and_wait(window, &["--force"]).await
    }

    async fn trigger_and_wait(&self, window: DateWindow, flags: &[&str]) -> Result<()> {
        let (start, end) = (window.start().to_string(), window.end().to_string());
        let trigger = ["trigger", "--from", &start, "--to", &end, "--wait"];
        let outcome = self.command("coordinator", &[&trigger, flags].concat()).await?;
        outcome.success().map(drop).with_context(|| format!("the run over {window} failed"))
    }

    /// Triggers a run over `window` without waiting for it.
    ///
    /// # Errors
    /// If the coordinator refuses.
    pub async fn trigger(&self, window: DateWindow, force: bool) -> Result<TriggerRunResponse> {
        let request =
            TriggerRunRequest { pipeline: String::new(), window: Some(window_proto(window)), force };
        Ok(self.pipeline()?.trigger_run(request).await?.into_inner())
    }

    /// Triggers a run over `window` and waits until it has ended, well or not.
    ///
    /// # Errors
    /// If the coordinator refuses or it takes too long.
    pub async fn run_to_end(&self, window: DateWindow, force: bool) -> Result<Run> {
        let triggered = self.trigger(window, force).await?.run.context("the answer has no run")?;
        self.watch_until(&triggered.run_id, has_ended).await
    }

    /// Waits until a run is as `condition` wants it.
    ///
    /// # Errors
    /// If it ends before, or takes too long.
    pub async fn watch_until(&self, run_id: &str, condition: impl Fn(&Run) -> bool) -> Result<Run> {
        let request = WatchRunRequest { run_id: run_id.to_owned() };
        let mut changes = self.pipeline()?.watch_run(request).await?.into_inner();
        in_time("a run", async {
            while let Some(change) = changes.message().await? {
                let run = change.run.context("the answer has no run")?;
                if condition(&run) {
                    return Ok(run);
                }
            }
            anyhow::bail!("the run ended otherwise: {:?}", self.run(run_id).await?)
        })
        .await?
    }

    /// The present state of a run.
    ///
    /// # Errors
    /// If there is none by that id.
    pub async fn run(&self, run_id: &str) -> Result<Run> {
        let request = GetRunRequest { run_id: run_id.to_owned() };
        self.pipeline()?.get_run(request).await?.into_inner().run.context("the answer has no run")
    }

    /// The published fact as CSV, byte for byte.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub async fn fact_csv(&self, window: DateWindow) -> Result<String> {
        let (start, end) = (window.start().to_string(), window.end().to_string());
        let list = ["activity", "list", "--from", &start, "--to", &end, "--format", "csv"];
        self.command("activity", &list).await?.success()
    }

    /// The published fact.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub async fn fact(&self, window: DateWindow) -> Result<FactTable> {
        FactTable::parse(&self.fact_csv(window).await?)
    }

    /// The warehouse itself, to read what no service tells.
    ///
    /// # Errors
    /// If there is none yet.
    pub async fn warehouse(&self) -> Result<SqlitePool> {
        let file = self.warehouse_file();
        ensure!(file.exists(), "there is no {}", file.display());
        Ok(SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).read_only(true)).await?)
    }
}

/// The built-in pipeline with waits before retries that are no waste of a test's time.
fn impatient_pipeline() -> Result<String> {
    let yaml = fs::read_to_string(workspace_root().join("services/coordinator/pipeline.yaml"))?;
    let impatient = yaml.replace("_backoff: 2s", "_backoff: 20ms").replace("_backoff: 5s", "_backoff: 20ms");
    ensure!(impatient != yaml, "the built-in pipeline's backoffs have changed: change this too");
    Ok(impatient)
}

/// A window as a message.
#[must_use]
pub fn window_proto(window: DateWindow) -> DateWindowProto {
    DateWindowProto { start_date: window.start().to_string(), end_date: window.end().to_string() }
}

/// The stages of the daily pipeline in their order.
pub const STAGES: [&str; 4] = [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT, STAGE_VALIDATE];
