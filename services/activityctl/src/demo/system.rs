//! The demo's sources and services, running in this process.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use clap::{
    Args, Command, FromArgMatches,
    builder::{OsStr, Resettable},
};
use contract::message::window_to_proto;
use domain::DateWindow;
use proto::pipeline::v1::{Run, TriggerRunRequest};
use runtime::{Context, ServerOptions, serve};
use sample_sources::WorldOptions;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::sources::SampleSources;
use crate::{
    connect::Connection,
    error::Error,
    follow::{FollowArgs, follow_to_success},
    progress::RunProgress,
    standalone::{self, DataFolder, SuiteOptions},
};

/// The folder of the demo's files; locked like any data folder.
#[derive(Debug)]
pub(super) struct DemoFolder {
    folder: DataFolder,
    /// Removed with its contents on drop.
    _temporary: Option<TempDir>,
}

impl DemoFolder {
    /// A new or empty folder that is kept, or a temporary one.
    pub(super) fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(data_dir) = data_dir else {
            let temporary =
                TempDir::with_prefix("activityctl-demo-").context("cannot create a temporary folder")?;
            return Ok(Self { folder: DataFolder::open(temporary.path())?, _temporary: Some(temporary) });
        };
        let is_used = fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some());
        anyhow::ensure!(!is_used, "the folder {} is not empty: name a new one", data_dir.display());
        Ok(Self { folder: DataFolder::open(data_dir)?, _temporary: None })
    }
}

/// The sources and the services, running.
#[derive(Debug)]
pub(super) struct DemoSystem {
    pub(super) sources: SampleSources,
    pub(super) connection: Connection,
    /// Where the console is.
    pub(super) console: SocketAddr,
    services: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
}

impl DemoSystem {
    /// Starts the sources of `world`, then the services over them.
    pub(super) async fn start(
        world: WorldOptions,
        folder: &DemoFolder,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let sources = SampleSources::start(world, folder.folder.root(), context.shutdown.clone()).await?;
        let options = suite_options(sources.api_url())?.with_defaults_in(&folder.folder)?;
        let Served { address, console, services } = serve_suite(options, context.clone()).await?;
        let server = format!("http://{address}");
        let connection = Connection::through(server.clone(), runtime::channel::connect(&server)?);
        Ok(Self { sources, connection, console, services, shutdown: context.shutdown.clone() })
    }

    /// Runs the pipeline over some days, and shows its progress.
    pub(super) async fn run(&self, days: DateWindow, progress: &mut RunProgress) -> Result<Run, Error> {
        let request =
            TriggerRunRequest { window: Some(window_to_proto(days)), ..TriggerRunRequest::default() };
        let response = self.connection.pipeline().trigger_run(request).await;
        let run = response.map_err(|status| self.connection.failure(status))?.into_inner().run;
        let run = run.ok_or(Error::Contract("has no run"))?;
        // The server is this process: if it does not answer now, it never will.
        let follow = FollowArgs { reconnect_for: Duration::from_secs(1) };
        tokio::select! {
            outcome = follow_to_success(&self.connection, &run.run_id, &follow, progress) => outcome,
            () = self.shutdown.cancelled() => Err(anyhow::anyhow!("interrupted").into()),
        }
    }

    /// Keeps everything running until somebody ends it, or a service fails, which
    /// [`ended`](Self::ended) reports.
    pub(super) async fn keep_open(&self) {
        self.shutdown.cancelled().await;
    }

    /// Waits for everything to end after the context has shut down.
    pub(super) async fn ended(self) -> anyhow::Result<()> {
        drop(self.connection);
        self.services.await??;
        self.sources.ended().await
    }
}

/// The services' defaults, ignoring the environment, which is meant for services that do real work.
fn suite_options(product_api_url: String) -> anyhow::Result<SuiteOptions> {
    let command = SuiteOptions::augment_args(Command::new("demo").no_binary_name(true))
        .mut_args(|arg| arg.env(Resettable::<OsStr>::Reset));
    let matches = command.try_get_matches_from(["--product-api-url", &product_api_url])?;
    Ok(SuiteOptions::from_arg_matches(&matches)?)
}

/// The services, listening.
struct Served {
    address: SocketAddr,
    console: SocketAddr,
    services: JoinHandle<anyhow::Result<()>>,
}

async fn serve_suite(options: SuiteOptions, context: Context) -> anyhow::Result<Served> {
    let suite = standalone::assemble(options, &context).await?;
    let server = ServerOptions { drain_timeout: Duration::from_secs(2), ..ServerOptions::default() };
    // A free port on loopback, as gRPC has.
    let console = console::Options::default();
    let (suite, site) =
        standalone::with_console(suite, console, server.listen, server.access.clone(), &context)?;
    let (console_listening, console) = oneshot::channel();
    let site = site.on_listening(|served| {
        let _ = console_listening.send(served.address);
    });
    let (listening, address) = oneshot::channel();
    let mut services = tokio::spawn(serve(suite.with_site(site), server, context, |address| {
        let _ = listening.send(address);
    }));
    tokio::select! {
        (Ok(address), Ok(console)) = async { tokio::join!(address, console) } => {
            Ok(Served { address, console, services })
        }
        ended = &mut services => {
            ended??;
            anyhow::bail!("the services ended before they listened")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_leaves_nothing_behind() {
        let folder = DemoFolder::open(None).unwrap();
        let root = folder.folder.root().to_owned();
        assert!(root.exists());
        drop(folder);
        assert!(!root.exists());
    }

    #[test]
    fn the_services_of_the_demo_ignore_the_environment() {
        let command = SuiteOptions::augment_args(Command::new("demo"));
        let from_environment = command.get_arguments().filter(|arg| arg.get_env().is_some()).count();
        assert!(from_environment > 10);
        let options = suite_options("http://127.0.0.1:1/v1/product-usage".to_owned()).unwrap();
        assert_eq!(
            options.ingest_api.product_api_url.as_deref(),
            Some("http://127.0.0.1:1/v1/product-usage")
        );
    }
}
