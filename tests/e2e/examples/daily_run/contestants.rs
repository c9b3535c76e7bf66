//! The contestants: each publishes days into a database of its own.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use e2e::{
    benchmark::{processor_seconds, run_however_long},
    runs::stage_states,
    settings::{Layout, Settings},
    sources::API_TOKEN,
    suite::{ACTIVITYCTL, Suite},
    workspace_root,
};
use proto::pipeline::v1::{Run, RunState};
use tokio::process::Command;

use crate::{
    morning::REVISED_DAYS,
    server::{Database, Server},
};

pub(crate) const OURS: &str = "ours";
pub(crate) const SEED: &str = "seed's client and SQL";
pub(crate) const DLT: &str = "dlt and dbt";

/// What a run of a contestant cost.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    /// Processor time of the contestant's own processes.
    pub(crate) own: f64,
    /// Processor time of Postgres.
    pub(crate) postgres: f64,
    /// Our run, with its stages.
    pub(crate) run: Option<Run>,
}

/// Someone who publishes days.
pub(crate) struct Contestant {
    pub(crate) name: &'static str,
    pub(crate) database: Database,
    kind: Kind,
}

enum Kind {
    Suite { process: u32 },
    Script { python: PathBuf, file: &'static str, folder: PathBuf },
}

/// Days to publish, and what they are published from.
pub(crate) struct Order<'a> {
    pub(crate) window: DateWindow,
    pub(crate) export: &'a Path,
    pub(crate) is_first: bool,
    /// Whether the days are published already.
    pub(crate) is_again: bool,
}

/// Starts the suite on its database.
pub(crate) async fn start_suite(database: &Database) -> Result<Suite> {
    Suite::start(Layout::Standalone, Settings::default().warehouse(database.url())).await
}

impl Contestant {
    pub(crate) fn ours(database: Database, suite: &mut Suite) -> Result<Self> {
        let process = suite.process(ACTIVITYCTL)?.id()?;
        Ok(Self { name: OURS, database, kind: Kind::Suite { process } })
    }

    /// The others, which are Python scripts.
    pub(crate) fn others(server: &Server, python: &Path, folder: &Path) -> Result<Vec<Self>> {
        let script = |name, database: &str, file| -> Result<Self> {
            let folder = folder.join(database);
            std::fs::create_dir_all(&folder)?;
            let kind = Kind::Script { python: python.to_owned(), file, folder };
            Ok(Self { name, database: server.database(database)?, kind })
        };
        Ok(vec![script(SEED, "seed", "seed/client.py")?, script(DLT, "dlt", "dlt_dbt/daily.py")?])
    }

    /// Publishes days, and tells what that cost.
    pub(crate) async fn publish(&self, suite: &Suite, server: &Server, order: &Order<'_>) -> Result<Cost> {
        server.checkpoint()?;
        let own = match &self.kind {
            Kind::Suite { process } => *process,
            Kind::Script { .. } => std::process::id(),
        };
        let (before, postgres_before) = (processor_seconds(own)?, server.processor_seconds()?);
        let began = Instant::now();
        let run = match &self.kind {
            Kind::Suite { .. } => Some(publish_ours(suite, order).await?),
            Kind::Script { python, file, folder } => {
                self.run_script(python, file, folder, suite, order).await?;
                None
            }
        };
        let seconds = began.elapsed().as_secs_f64();
        let (after, postgres) = (processor_seconds(own)?, server.processor_seconds()? - postgres_before);
        // A script is an ended child of this process.
        let which = usize::from(run.is_none());
        Ok(Cost { seconds, own: after[which] - before[which], postgres, run })
    }

    async fn run_script(
        &self,
        python: &Path,
        file: &str,
        folder: &Path,
        suite: &Suite,
        order: &Order<'_>,
    ) -> Result<()> {
        let here = workspace_root().join("tests/e2e/examples/daily_run");
        let mut command = Command::new(python);
        command.arg(here.join(file)).env_clear().current_dir(folder).kill_on_drop(true);
        let database = &self.database;
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("API_URL", suite.sources.product_api_url())
            .env("API_TOKEN", API_TOKEN)
            .env("CRM_FILE", order.export)
            .env("START", order.window.start().to_string())
            .env("END", order.window.end().to_string())
            .env("FOLDER", folder)
            .env("REPOLL_DAYS", REVISED_DAYS.to_string())
            .env("PSQL", test_postgres::binaries()?.join("psql"))
            .env("SEED_SQL", workspace_root().join("tests/benchmarks/sql/seed.sql"))
            .env(
                "DATABASE_URL",
                format!("postgresql://postgres:none@127.0.0.1:{}/{}", database.port, database.name),
            )
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", database.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", &database.name);
        if order.is_first {
            command.env("FIRST_LOAD", "yes");
        }
        let output = command.output().await.context("cannot run Python")?;
        let [printed, problem] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        ensure!(output.status.success(), "{}: {}\n{printed}\n{problem}", self.name, output.status);
        Ok(())
    }
}

async fn publish_ours(suite: &Suite, order: &Order<'_>) -> Result<Run> {
    let run = run_however_long(suite, order.window, order.is_again).await?;
    ensure!(run.state() == RunState::Succeeded, "our run failed: {:?} {run:#?}", stage_states(&run));
    Ok(run)
}
