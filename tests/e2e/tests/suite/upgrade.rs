//! Every service is replaced in the middle of one run, without any effect.
//!
//! `make test-upgrade` gives these tests the programs of an earlier revision;
//! without it, they replace each service with itself.

use std::vec::IntoIter;

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS};
use e2e::{
    binaries::Build,
    cli,
    database::Database,
    found,
    runs::stage,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
    workspace_root,
};
use proto::pipeline::v1::RunState;
use tempfile::TempDir;
use test_postgres::Database as PostgresDatabase;

/// When the coordinator is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coordinator {
    First,
    Last,
}

/// What changes the schema, right after the run has started.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Migration {
    /// The build being upgraded to, as the chart's Job does.
    New,
    /// A version newer than both.
    Next,
    /// Nothing: a rollback brings no migration.
    None,
}

/// Replaced in this order while the product API keeps the run waiting;
/// transform, which depends on all of that, comes after them.
const BEFORE_TRANSFORM: [&str; 5] = ["ingest-crm", "ingest-events", "activity", "ingest-api", "notifier"];

/// The stage that a service is executing when it is replaced.
fn stage_in(service: &str) -> Option<&'static str> {
    match service {
        "ingest-crm" => Some(STAGE_COPY_CRM_CSV),
        "ingest-events" => Some(STAGE_COPY_EVENTS),
        "ingest-api" => Some(STAGE_CALL_PRODUCT_API),
        "transform" => Some(STAGE_BUILD_FACT),
        _ => None,
    }
}

/// Settings for every storage: with the waits of the shipped pipeline, which
/// are long enough for a restart.
fn patient() -> Settings {
    let pipeline = workspace_root().join("docs/pipelines/with-events.yaml");
    Settings::default()
        .with_events()
        .flag("coordinator", "--pipeline-file", &pipeline.display().to_string())
        .flag("coordinator", "--lease-ttl", "2s")
        .flag("ingest-api", "--product-api-concurrency", "1")
        .flag("ingest-api", "--product-api-timeout", "10m")
        .variable("DRAIN_TIMEOUT", "1s")
}

/// A run that cannot continue until the next held day is released.
struct HeldRun {
    suite: Suite,
    database: Database,
    run_id: String,
    /// The days still held, in the order they are requested.
    held: IntoIter<NaiveDate>,
    /// The settings of processes started from now on.
    new: Settings,
}

impl HeldRun {
    async fn begin(old: Settings, new: Settings, vector: &Vector) -> Result<Self> {
        let mut suite = Suite::start(Layout::Separate, old).await?;
        vector.deliver(&suite.sources)?;
        let held: Vec<_> = vector.window.days().skip(2).step_by(3).collect();
        for day in &held {
            suite.sources.faults.hold(*day);
        }
        // Their stages would end long before their turn.
        for service in ["ingest-crm", "ingest-events"] {
            suite.process(service)?.pause()?;
        }
        let run = suite.trigger(vector.window, false).await?.run.context("no run")?;
        let database = suite.database().await?;
        Ok(Self { suite, database, run_id: run.run_id, held: held.into_iter(), new })
    }

    /// The next held day, once the run waits for it.
    async fn reach_next_day(&mut self) -> Result<NaiveDate> {
        let day = self.held.next().context("more services than held days")?;
        let requests = &self.suite.sources.requests;
        let what = format!("the request for {day}");
        found(&what, async || Ok((requests.requests(day) > 0).then_some(()))).await?;
        Ok(day)
    }

    async fn must_be_running(&self) -> Result<()> {
        assert_eq!(self.database.run_state(&self.run_id).await?, "RUNNING");
        Ok(())
    }

    async fn reach_stage_in(&self, service: &str) -> Result<()> {
        let Some(stage) = stage_in(service) else { return Ok(()) };
        let is_running = async || {
            let state = self.database.stage_state(&self.run_id, stage).await?;
            Ok((state == "RUNNING").then_some(()))
        };
        found(&format!("{stage} to be RUNNING"), is_running).await
    }

    async fn end(&mut self, service: &'static str) -> Result<()> {
        self.must_be_running().await?;
        let process = self.suite.process(service)?;
        process.ask_to_end()?;
        process.resume()?;
        let status = process.ended().await?;
        assert!(status.success(), "{service}: {status}");
        self.must_be_running().await
    }

    async fn start_new(&mut self, service: &'static str) -> Result<()> {
        self.suite.restart_with(service, self.new.clone()).await?;
        self.must_be_running().await
    }

    async fn replace(&mut self, service: &'static str) -> Result<()> {
        self.reach_stage_in(service).await?;
        self.end(service).await?;
        self.start_new(service).await
    }

    /// Lets the run reach the build, and replaces transform in the middle of
    /// it. Leaves the coordinator paused: the rest would otherwise end at once.
    async fn replace_transform(&mut self) -> Result<()> {
        self.reach_next_day().await?;
        self.suite.process("transform")?.pause()?;
        self.suite.sources.faults.clear();
        self.reach_stage_in("transform").await?;
        let builds = self.database.hold_builds().await?;
        self.suite.process("transform")?.resume()?;
        self.end("transform").await?;
        self.suite.process("coordinator")?.pause()?;
        builds.release().await?;
        self.start_new("transform").await
    }

    async fn replace_all(&mut self, coordinator: Coordinator) -> Result<()> {
        let first = (coordinator == Coordinator::First).then_some("coordinator");
        for service in first.into_iter().chain(BEFORE_TRANSFORM) {
            let day = self.reach_next_day().await?;
            self.replace(service).await?;
            self.suite.sources.faults.release(day);
        }
        self.replace_transform().await?;
        match coordinator {
            Coordinator::First => self.suite.process("coordinator")?.resume(),
            Coordinator::Last => self.replace("coordinator").await,
        }
    }

    /// Expects the run to end as if undisturbed.
    async fn must_end_well(&self, vector: &Vector) -> Result<()> {
        let run = self.suite.watch_until(&self.run_id, |run| run.state() == RunState::Succeeded).await?;
        for interrupted in [STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT] {
            assert!(stage(&run, interrupted)?.attempt > 1, "{run:#?}");
        }
        let alerts = self.database.texts("SELECT alert_key FROM alert_outbox".to_owned()).await?;
        assert_eq!(alerts, [""; 0]);
        let fact = self.suite.fact(vector.window).await?;
        fact.must_equal(&vector.expected)?;
        let undisturbed = Suite::standalone().await?;
        vector.deliver(&undisturbed.sources)?;
        undisturbed.publish(vector.window).await?;
        fact.must_equal(&undisturbed.fact(vector.window).await?)
    }
}

/// Replaces every service of a suite with that of another build.
async fn replaced(
    settings: Settings,
    (from, to): (Build, Build),
    coordinator: Coordinator,
    migration: Migration,
    vector: Vector,
) -> Result<()> {
    let (old, new) = (settings.clone().build(from), settings.build(to));
    let mut run = HeldRun::begin(old, new, &vector).await?;
    match migration {
        Migration::New => migrate(to, &run.suite.warehouse_url()).await?.success().map(drop)?,
        Migration::Next => run.database.migrate_to_next_version().await?,
        Migration::None => {}
    }
    run.replace_all(coordinator).await?;
    run.must_end_well(&vector).await?;
    if migration == Migration::Next {
        for service in run.suite.services() {
            let log = run.suite.log_of(service)?;
            assert!(log.contains("the warehouse is newer than this program"), "{service}: {log}");
        }
    }
    Ok(())
}

async fn migrate(build: Build, url: &str) -> Result<cli::Outcome> {
    cli::run_of(build, ACTIVITYCTL, &["migrate", "--warehouse-url", url], &[]).await
}

async fn upgraded(settings: Settings, coordinator: Coordinator, vector: Vector) -> Result<()> {
    replaced(settings, (Build::Previous, Build::Current), coordinator, Migration::New, vector).await
}

#[tokio::test]
async fn services_are_upgraded_in_the_middle_of_a_run_the_coordinator_first() -> Result<()> {
    upgraded(patient(), Coordinator::First, Vector::gaps()?).await
}

#[tokio::test]
async fn services_are_upgraded_in_the_middle_of_a_run_the_coordinator_last() -> Result<()> {
    upgraded(patient(), Coordinator::Last, Vector::snapshots()?).await
}

#[tokio::test]
async fn services_are_upgraded_on_postgres_the_coordinator_first() -> Result<()> {
    let database = PostgresDatabase::create().await?;
    upgraded(patient().warehouse(database.url()), Coordinator::First, Vector::snapshots()?).await
}

#[tokio::test]
async fn services_are_upgraded_on_postgres_the_coordinator_last() -> Result<()> {
    let database = PostgresDatabase::create().await?;
    upgraded(patient().warehouse(database.url()), Coordinator::Last, Vector::gaps()?).await
}

/// What the previous version must survive during an upgrade, with this one in its place.
async fn restarted_on_the_next_schema(
    settings: Settings,
    coordinator: Coordinator,
    vector: Vector,
) -> Result<()> {
    replaced(settings, (Build::Current, Build::Current), coordinator, Migration::Next, vector).await
}

#[tokio::test]
async fn services_restart_on_the_schema_of_the_next_version() -> Result<()> {
    restarted_on_the_next_schema(patient(), Coordinator::First, Vector::snapshots()?).await
}

#[tokio::test]
async fn services_restart_on_postgres_on_the_schema_of_the_next_version() -> Result<()> {
    let database = PostgresDatabase::create().await?;
    let settings = patient().warehouse(database.url());
    restarted_on_the_next_schema(settings, Coordinator::Last, Vector::gaps()?).await
}

/// Rolls back to the previous build, on the schema of this one. A build from
/// before schemas had a mark must refuse that.
async fn rolled_back(settings: Settings, coordinator: Coordinator, vector: Vector) -> Result<()> {
    if previous_reads_the_mark().await? {
        return replaced(settings, (Build::Current, Build::Previous), coordinator, Migration::None, vector)
            .await;
    }
    let suite = Suite::start(Layout::Separate, settings).await?;
    let refusal = migrate(Build::Previous, &suite.warehouse_url()).await?;
    assert_eq!(refusal.code, 1, "{refusal:?}");
    assert!(refusal.stderr.contains("does not know: use a newer version"), "{refusal:?}");
    Ok(())
}

async fn previous_reads_the_mark() -> Result<bool> {
    let folder = TempDir::new()?;
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let reported = migrate(Build::Previous, &url).await?.success()?;
    Ok(reported.contains("_schema_compatibility"))
}

#[tokio::test]
#[ignore = "needs a previous build: make test-upgrade"]
async fn services_are_rolled_back_in_the_middle_of_a_run_the_coordinator_first() -> Result<()> {
    rolled_back(patient(), Coordinator::First, Vector::gaps()?).await
}

#[tokio::test]
#[ignore = "needs a previous build: make test-upgrade"]
async fn services_are_rolled_back_on_postgres_the_coordinator_last() -> Result<()> {
    let database = PostgresDatabase::create().await?;
    rolled_back(patient().warehouse(database.url()), Coordinator::Last, Vector::snapshots()?).await
}
