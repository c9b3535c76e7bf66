//! Killing any process at any point leads to the same table.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use domain::{
    DateWindow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use e2e::{
    alerts::AlertReceiver,
    fact_table::FactTable,
    runs::{STAGES, has_begun, is_in, stage},
    services,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use proto::pipeline::v1::{Run, RunState, StageState};
use sample_sources::{Fault, World, WorldOptions};
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_client::HealthClient,
};

const DAYS: u32 = 12;

/// A world with its first days published and its last ones not yet.
struct History {
    world: World,
    published: DateWindow,
    all: DateWindow,
}

impl History {
    fn of(companies: usize) -> Result<Self> {
        let options = WorldOptions { seed: 11, companies, days: DAYS, ..WorldOptions::default() };
        let world = World::generate(options);
        let days: Vec<_> = world.days().collect();
        let (Some(first), Some(middle), Some(last)) = (days.first(), days.get(days.len() / 2), days.last())
        else {
            bail!("the world has no days")
        };
        Ok(Self { world, published: DateWindow::new(*first, *middle)?, all: DateWindow::new(*first, *last)? })
    }

    /// Publishes the first days, then delivers the others, with late and corrected data.
    async fn begin(&self, suite: &Suite) -> Result<()> {
        let morning_after = self.published.end().succ_opt().context("there is a day after")?;
        suite.sources.put_world(&self.world, morning_after)?;
        suite.publish(self.published).await?;
        suite.sources.put_world(&self.world, self.world.end())
    }

    /// The expected fact: all days in one run over the final sources.
    async fn expected(&self) -> Result<FactTable> {
        let suite = Suite::standalone().await?;
        suite.sources.put_world(&self.world, self.world.end())?;
        suite.publish(self.all).await?;
        suite.fact(self.all).await
    }
}

fn short_lease() -> Settings {
    Settings::default().flag("coordinator", "--lease-ttl", "1s")
}

/// Kills `service` as soon as `stage_name` has started, restarts it, and
/// expects the run to end as if nothing had happened. If the stage ended before
/// the signal arrived, tries again with more work.
async fn killed_in(layout: Layout, service: &'static str, stage_name: &str) -> Result<()> {
    for companies in [500, 2_000, 8_000] {
        let history = History::of(companies)?;
        let mut suite = Suite::start(layout, short_lease()).await?;
        history.begin(&suite).await?;
        let run = suite.trigger(history.all, false).await?.run.context("no run")?;
        suite.watch_until(&run.run_id, |run| has_begun(run, stage_name)).await?;
        suite.process(service)?.kill().await?;
        let interrupted = suite.database().await?.stage_state(&run.run_id, stage_name).await? != "SUCCEEDED";
        suite.restart(service).await?;
        suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
        suite.fact(history.all).await?.must_equal(&history.expected().await?)?;
        if interrupted {
            return Ok(());
        }
    }
    bail!("{stage_name} was always over before {service} was killed")
}

#[tokio::test]
async fn a_coordinator_killed_while_ingesting_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Separate, "coordinator", STAGE_CALL_PRODUCT_API).await
}

#[tokio::test]
async fn a_coordinator_killed_while_building_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Separate, "coordinator", STAGE_BUILD_FACT).await
}

#[tokio::test]
async fn a_coordinator_killed_while_publishing_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Separate, "coordinator", STAGE_VALIDATE).await
}

#[tokio::test]
async fn a_suite_killed_while_copying_the_crm_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Standalone, ACTIVITYCTL, STAGE_COPY_CRM_CSV).await
}

#[tokio::test]
async fn a_suite_killed_while_building_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Standalone, ACTIVITYCTL, STAGE_BUILD_FACT).await
}

#[tokio::test]
async fn a_suite_killed_while_publishing_finishes_the_run_when_it_is_back() -> Result<()> {
    killed_in(Layout::Standalone, ACTIVITYCTL, STAGE_VALIDATE).await
}

#[tokio::test]
async fn a_transform_killed_while_building_is_tried_again() -> Result<()> {
    killed_in(Layout::Separate, "transform", STAGE_BUILD_FACT).await
}

/// Whether the product API's stage is RUNNING and has loaded a day.
fn has_days(run: &Run) -> bool {
    is_in(run, STAGE_CALL_PRODUCT_API, StageState::Running)
        && stage(run, STAGE_CALL_PRODUCT_API)
            .is_ok_and(|stage| stage.progress.as_ref().is_some_and(|progress| progress.units_done > 0))
}

#[tokio::test]
async fn an_ingest_killed_in_the_middle_of_its_stage_is_tried_again() -> Result<()> {
    let history = History::of(200)?;
    let mut suite = Suite::separate().await?;
    history.begin(&suite).await?;
    // The last day does not answer, so the stage has some days but cannot get them all.
    suite.sources.faults.fail_next_for(
        history.all.end(),
        100,
        Fault::SlowFirstByte(Duration::from_secs(3600)),
    );
    let run = suite.trigger(history.all, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, has_days).await?;
    suite.process("ingest-api")?.kill().await?;
    suite.sources.faults.clear();
    suite.restart("ingest-api").await?;
    let run = suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    assert!(stage(&run, STAGE_CALL_PRODUCT_API)?.attempt > 1, "{run:#?}");
    suite.fact(history.all).await?.must_equal(&history.expected().await?)
}

#[tokio::test]
async fn a_suite_killed_in_every_stage_of_one_run_still_ends_in_the_same_table() -> Result<()> {
    let history = History::of(500)?;
    let mut suite = Suite::start(Layout::Standalone, short_lease()).await?;
    history.begin(&suite).await?;
    let run = suite.trigger(history.all, false).await?.run.context("no run")?;
    for stage_name in STAGES {
        suite.watch_until(&run.run_id, |run| has_begun(run, stage_name)).await?;
        suite.process(ACTIVITYCTL)?.kill().await?;
        suite.restart(ACTIVITYCTL).await?;
    }
    suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    suite.fact(history.all).await?.must_equal(&history.expected().await?)
}

#[tokio::test]
async fn an_alert_survives_the_death_of_the_coordinator_that_wrote_it() -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let settings = short_lease().flag("notifier", "--webhook-url", &receiver.url("/alerts"));
    let mut suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    // Nothing accepts the alert before the coordinator is dead.
    suite.process("notifier")?.kill().await?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Failed, "{run:#?}");
    suite.process("coordinator")?.kill().await?;
    assert_eq!(receiver.accepted("/alerts").len(), 0);

    suite.restart("notifier").await?;
    suite.restart("coordinator").await?;
    let alerts = receiver.wait_for("/alerts", 1).await?;
    let alert = alerts.first().context("none arrived")?;
    assert!(alert.json.to_string().contains(&run.run_id), "{alert:?}");
    Ok(())
}

#[tokio::test]
async fn a_suite_asked_to_end_in_the_middle_of_a_run_goes_on_when_it_is_back() -> Result<()> {
    let history = History::of(200)?;
    let settings = short_lease().variable("DRAIN_TIMEOUT", "1s");
    let mut suite = Suite::start(Layout::Standalone, settings).await?;
    history.begin(&suite).await?;
    suite.sources.faults.fail_next_for(
        history.all.end(),
        100,
        Fault::SlowFirstByte(Duration::from_secs(3600)),
    );
    let run = suite.trigger(history.all, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, has_days).await?;
    let status = suite.process(ACTIVITYCTL)?.terminate().await?;
    assert!(status.success(), "{status}");

    suite.sources.faults.clear();
    suite.restart(ACTIVITYCTL).await?;
    suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    suite.fact(history.all).await?.must_equal(&history.expected().await?)
}

/// The services' default drain timeout: an idle service needs none of it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

async fn ends_well(suite: &mut Suite, service: &'static str) -> Result<()> {
    let asked = Instant::now();
    let status = suite.process(service)?.terminate().await?;
    assert!(status.success(), "{service}: {status}");
    assert!(asked.elapsed() < DRAIN_TIMEOUT, "{service} took {:?}", asked.elapsed());
    Ok(())
}

#[tokio::test]
async fn every_service_ends_well_when_asked_to() -> Result<()> {
    let mut suite = Suite::start(Layout::Separate, Settings::default().with_events()).await?;
    for service in services::all() {
        ends_well(&mut suite, service).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_suite_in_one_process_ends_well_when_asked_to() -> Result<()> {
    let mut suite = Suite::standalone().await?;
    ends_well(&mut suite, ACTIVITYCTL).await
}

#[tokio::test]
async fn every_service_says_that_it_serves_until_it_is_asked_to_end() -> Result<()> {
    let mut suite = Suite::start(Layout::Separate, Settings::default().with_events()).await?;
    for service in services::all() {
        let channel = Endpoint::from_shared(suite.url_of(service)?)?.connect().await?;
        let mut health = HealthClient::new(channel);
        let mut changes = health.watch(HealthCheckRequest::default()).await?.into_inner();
        let status = |response: Option<HealthCheckResponse>| response.map(|response| response.status());
        assert_eq!(status(changes.message().await?), Some(ServingStatus::Serving), "{service}");
        ends_well(&mut suite, service).await?;
        assert_eq!(status(changes.message().await?), Some(ServingStatus::NotServing), "{service}");
    }
    Ok(())
}
