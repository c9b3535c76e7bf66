//! Killing any process at any point ends in the same table.

use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE};
use e2e::{
    binaries::SERVICES,
    fact_table::FactTable,
    runs::{has_begun, is_in, stage},
    suite::{ACTIVITYCTL, Layout, Settings, Suite},
};
use proto::pipeline::v1::{Run, RunState, StageState};
use sample_sources::{Fault, World, WorldOptions};

/// Enough companies for stages that take a while.
fn world() -> World {
    World::generate(WorldOptions { seed: 11, companies: 400, days: 10, ..WorldOptions::default() })
}

async fn undisturbed(world: &World) -> Result<FactTable> {
    let suite = Suite::standalone().await?;
    let window = suite.sources.put_world(world)?;
    suite.publish(window).await?;
    suite.fact(window).await
}

fn short_lease() -> Settings {
    Settings::default().flag("coordinator", "--lease-ttl", "1s")
}

/// Kills `service` as soon as `stage_name` has begun, starts it again, and
/// expects the run to end as if nothing had happened.
async fn killed_in(layout: Layout, service: &'static str, stage_name: &str) -> Result<()> {
    let world = world();
    let mut suite = Suite::start(layout, short_lease()).await?;
    let window = suite.sources.put_world(&world)?;
    let run = suite.trigger(window, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, |run| has_begun(run, stage_name)).await?;
    suite.process(service)?.kill().await?;
    suite.restart(service).await?;
    suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    suite.fact(window).await?.must_equal(&undisturbed(&world).await?)
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
    let world = world();
    let mut suite = Suite::separate().await?;
    let window = suite.sources.put_world(&world)?;
    // The last day does not answer, so the stage has some days and cannot get them all.
    suite.sources.faults.fail_next_for(window.end(), 100, Fault::SlowFirstByte(Duration::from_secs(3600)));
    let run = suite.trigger(window, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, has_days).await?;
    suite.process("ingest-api")?.kill().await?;
    suite.sources.faults.clear();
    suite.restart("ingest-api").await?;
    let run = suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    assert!(stage(&run, STAGE_CALL_PRODUCT_API)?.attempt > 1, "{run:#?}");
    suite.fact(window).await?.must_equal(&undisturbed(&world).await?)
}

#[tokio::test]
async fn every_service_ends_well_when_asked_to() -> Result<()> {
    let mut suite = Suite::separate().await?;
    for service in SERVICES {
        let status = suite.process(service)?.terminate().await?;
        assert!(status.success(), "{service}: {status}");
    }
    Ok(())
}

#[tokio::test]
async fn the_suite_in_one_process_ends_well_when_asked_to() -> Result<()> {
    let mut suite = Suite::standalone().await?;
    let status = suite.process(ACTIVITYCTL)?.terminate().await?;
    assert!(status.success(), "{status}");
    Ok(())
}
