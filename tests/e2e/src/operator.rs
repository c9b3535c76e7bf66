//! What a person, or the schedule, does with a running suite.

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use proto::{
    pipeline::v1::{GetRunRequest, Run, TriggerRunRequest, TriggerRunResponse, WatchRunRequest},
    stage::v1::DateWindow as DateWindowProto,
};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

use crate::{
    cli::{self, Outcome},
    fact_table::FactTable,
    in_time,
    runs::has_ended,
    suite::{ACTIVITYCTL, Suite},
};

impl Suite {
    /// Runs a command of the command line against a service.
    ///
    /// # Errors
    /// If it cannot be run.
    pub async fn command(&self, service: &'static str, arguments: &[&str]) -> Result<Outcome> {
        let url = self.url_of(service)?;
        let environment = self.client_environment();
        cli::run(ACTIVITYCTL, &[arguments, &["--server", &url]].concat(), &environment).await
    }

    /// Triggers a run over `window` with the command line and waits for it.
    ///
    /// # Errors
    /// If it does not succeed.
    pub async fn publish(&self, window: DateWindow) -> Result<()> {
        self.trigger_and_wait(window, &[]).await
    }

    /// Triggers a run over days that may already be published.
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
        let request = TriggerRunRequest {
            pipeline: String::new(),
            window: Some(window_proto(window)),
            force,
            ..Default::default()
        };
        Ok(self.pipeline()?.trigger_run(request).await?.into_inner())
    }

    /// Triggers a run over `window` and waits until it has ended, successfully or not.
    ///
    /// # Errors
    /// If the coordinator refuses or it takes too long.
    pub async fn run_to_end(&self, window: DateWindow, force: bool) -> Result<Run> {
        let triggered = self.trigger(window, force).await?.run.context("the answer has no run")?;
        self.watch_until(&triggered.run_id, has_ended).await
    }

    /// Waits until a run satisfies `condition`.
    ///
    /// # Errors
    /// If it ends first, or takes too long.
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

    /// The current state of a run.
    ///
    /// # Errors
    /// If no run has this id.
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

    /// The warehouse itself, to read what no service returns.
    ///
    /// # Errors
    /// If it does not exist yet.
    pub async fn warehouse(&self) -> Result<SqlitePool> {
        let file = self.warehouse_file();
        ensure!(file.exists(), "there is no {}", file.display());
        Ok(SqlitePool::connect_with(SqliteConnectOptions::new().filename(file).read_only(true)).await?)
    }
}

/// A window as a message.
#[must_use]
pub fn window_proto(window: DateWindow) -> DateWindowProto {
    DateWindowProto { start_date: window.start().to_string(), end_date: window.end().to_string() }
}
