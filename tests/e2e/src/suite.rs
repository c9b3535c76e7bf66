//! The whole suite: in one process, or with one process per service.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use proto::{
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
    stage::v1::stage_service_client::StageServiceClient,
};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::{
    admin::Admin,
    process::{ANY_PORT, Process},
    services,
    settings::{Layout, Settings},
    sources::{API_TOKEN, Sources, folder_url},
    workspace_root,
};

/// The command line's binary, which also runs the suite in one process.
pub const ACTIVITYCTL: &str = "activityctl";

/// A running suite with its own sources and storage.
#[derive(Debug)]
pub struct Suite {
    /// Its sources.
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
        fs::write(suite.pipeline_file(), suite.impatient_pipeline()?)?;
        match layout {
            Layout::Standalone => suite.spawn(ACTIVITYCTL, ANY_PORT).await?,
            Layout::Separate => {
                // The coordinator comes last: it needs the addresses of the others.
                for service in suite.services() {
                    if service != "coordinator" {
                        suite.spawn(service, ANY_PORT).await?;
                    }
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

    /// Starts a suite with one process per service.
    ///
    /// # Errors
    /// If a process does not start.
    pub async fn separate() -> Result<Self> {
        Self::start(Layout::Separate, Settings::default()).await
    }

    /// Restarts a service, or the whole suite if it is one process, at its previous address.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart(&mut self, service: &'static str) -> Result<()> {
        let process = self.processes.remove(self.host_of(service)).context("it was never started")?;
        let address = process.address();
        drop(process);
        self.spawn(self.host_of(service), address).await
    }

    /// Restarts it with other settings.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn restart_with(&mut self, service: &'static str, settings: Settings) -> Result<()> {
        self.settings = settings;
        self.restart(service).await
    }

    /// The process that runs a service.
    ///
    /// # Errors
    /// If it was never started.
    pub fn process(&mut self, service: &'static str) -> Result<&mut Process> {
        let host = self.host_of(service);
        self.processes.get_mut(host).with_context(|| format!("{host} was never started"))
    }

    /// The probes, metrics and log filter of a service.
    ///
    /// # Errors
    /// If it was never started.
    pub fn admin(&self, service: &'static str) -> Result<Admin> {
        self.running(service)?.admin()
    }

    /// The output of a service so far.
    ///
    /// # Errors
    /// If it was never started.
    pub fn log_of(&self, service: &'static str) -> Result<String> {
        Ok(self.running(service)?.log())
    }

    fn running(&self, service: &'static str) -> Result<&Process> {
        let host = self.host_of(service);
        self.processes.get(host).with_context(|| format!("{host} was never started"))
    }

    /// The output of all processes so far.
    #[must_use]
    pub fn logs(&self) -> String {
        self.processes.values().map(Process::log).collect()
    }

    /// The services of this suite.
    pub fn services(&self) -> impl Iterator<Item = &'static str> + use<> {
        let services = if self.settings.has_events() { services::all() } else { services::always() };
        services.into_iter()
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
        let (build, environment) = (self.settings.build_to_start(), self.settings.environment());
        let process = Process::start(build, binary, listen, arguments, environment).await?;
        self.processes.insert(binary, process);
        Ok(())
    }

    fn standalone_arguments(&self) -> Result<Vec<String>> {
        let mut arguments =
            vec!["standalone".to_owned(), "--data-dir".to_owned(), self.data().display().to_string()];
        // Suites of other tests run beside this one.
        if !self.settings.has(ACTIVITYCTL, "--console-listen") {
            arguments.extend(["--console-listen".to_owned(), "127.0.0.1:0".to_owned()]);
        }
        if let Some(url) = self.settings.warehouse_url() {
            arguments.extend(["--warehouse-url".to_owned(), url.to_owned()]);
        }
        for service in self.services() {
            arguments.extend(self.own_arguments(service)?);
        }
        Ok(arguments)
    }

    fn service_arguments(&self, service: &'static str) -> Result<Vec<String>> {
        let mut arguments = self.own_arguments(service)?;
        if !self.settings.has(service, "--warehouse-url") {
            arguments.extend(["--warehouse-url".to_owned(), self.warehouse_url()]);
        }
        if service == "coordinator" {
            for name in self.processes.keys() {
                let url = self.url_of(name)?;
                if *name == "notifier" {
                    arguments.extend(["--notifier-url".to_owned(), url]);
                } else if services::has_stages(name) {
                    arguments.extend(["--stage-endpoint".to_owned(), format!("{name}={url}")]);
                }
            }
        }
        Ok(arguments)
    }

    /// The flags of one service, in its own process or not.
    fn own_arguments(&self, service: &'static str) -> Result<Vec<String>> {
        let mut arguments = self.settings.flags(service);
        let mut default = |flag: &str, value: String| {
            if !self.settings.has(service, flag) {
                arguments.extend([flag.to_owned(), value]);
            }
        };
        match service {
            "ingest-crm" => {
                default("--crm-url", self.sources.crm_url()?);
                default("--crm-archive-url", folder_url(&self.folder.path().join("landing"))?);
            }
            "ingest-events" => default("--events-url", self.sources.events_url()?),
            "ingest-api" => {
                default("--product-api-url", self.sources.product_api_url());
                default("--product-api-token", API_TOKEN.to_owned());
                default("--landing-url", folder_url(&self.folder.path().join("landing"))?);
                default("--product-api-min-backoff", "10ms".to_owned());
                default("--product-api-max-backoff", "50ms".to_owned());
            }
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

    pub(crate) fn warehouse_file(&self) -> PathBuf {
        self.data().join("warehouse.sqlite")
    }

    pub(crate) fn landing_folder(&self) -> PathBuf {
        self.folder.path().join("landing")
    }

    /// The URL of the suite's warehouse.
    #[must_use]
    pub fn warehouse_url(&self) -> String {
        let embedded = || format!("sqlite://{}", self.warehouse_file().display());
        self.settings.warehouse_url().map_or_else(embedded, str::to_owned)
    }

    /// The address of a service's gRPC server.
    ///
    /// # Errors
    /// If it was never started.
    pub fn address_of(&self, service: &'static str) -> Result<SocketAddr> {
        Ok(self.running(service)?.address())
    }

    /// The URL of a service's gRPC server.
    ///
    /// # Errors
    /// If it was never started.
    pub fn url_of(&self, service: &'static str) -> Result<String> {
        Ok(format!("{}://{}", self.settings.scheme(), self.address_of(service)?))
    }

    /// The environment of commands of the command line.
    pub(crate) fn client_environment(&self) -> Vec<(&str, &str)> {
        self.settings.client_environment()
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

    /// A client of a service that executes stages, bypassing the coordinator.
    ///
    /// # Errors
    /// If it was never started.
    pub fn stage_service(&self, service: &'static str) -> Result<StageServiceClient<Channel>> {
        Ok(StageServiceClient::new(self.channel(service)?))
    }

    /// The shipped pipeline with waits that do not slow down tests: before
    /// retries, and for the alert of a coordinator that died while sending it.
    fn impatient_pipeline(&self) -> Result<String> {
        let shipped = if self.settings.has_events() {
            "docs/pipelines/with-events.yaml"
        } else {
            "services/coordinator/pipeline.yaml"
        };
        let mut yaml = fs::read_to_string(workspace_root().join(shipped))?;
        for (place, impatience) in [
            ("\n    service: ", "\n    retry: { max_attempts: 4, initial_backoff: 20ms }"),
            ("\n  service: notifier", "\n  timeout: 3s\n  retry: { initial_backoff: 20ms }"),
        ] {
            ensure!(yaml.contains(place), "{shipped} has no {place:?} any more: change this too");
            yaml = yaml.replace(place, &format!("{impatience}{place}"));
        }
        Ok(yaml)
    }
}
