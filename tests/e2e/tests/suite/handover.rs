//! Guarantees while processes come, go and start slowly: no run is lost, taken
//! twice, or failed because of it.

use std::{net::TcpListener, time::Duration};

use anyhow::{Context as _, Result};
use domain::{
    DateWindow,
    run::{STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
};
use e2e::{
    cli,
    process::{ANY_PORT, Process},
    runs::{has_begun, has_ended, is_in, stage},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use proto::pipeline::v1::{Run, RunState, StageState};
use sample_sources::Fault;

/// A product API that starts to answer for a day but never finishes.
fn silent() -> Fault {
    Fault::SlowFirstByte(Duration::from_secs(3600))
}

/// Starts another coordinator with this name over the suite's warehouse and services.
async fn another_coordinator(suite: &Suite, holder: &str) -> Result<Process> {
    let endpoint =
        |service: &'static str| -> Result<String> { Ok(format!("{service}={}", suite.url_of(service)?)) };
    let arguments = [
        "--warehouse-url".to_owned(),
        suite.warehouse_url(),
        "--holder".to_owned(),
        holder.to_owned(),
        "--stage-endpoint".to_owned(),
        [endpoint("ingest-crm")?, endpoint("ingest-api")?, endpoint("transform")?].join(","),
    ];
    Process::start(e2e::binaries::Build::Current, "coordinator", ANY_PORT, arguments, &[]).await
}

/// Waits for the run with a stage that calls a silent product API.
async fn calling(suite: &Suite, window: DateWindow) -> Result<Run> {
    suite.sources.faults.fail_next(1000, silent());
    let run = suite.trigger(window, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, |run| is_in(run, STAGE_CALL_PRODUCT_API, StageState::Running)).await
}

#[tokio::test]
async fn two_coordinators_of_one_name_do_not_take_a_run_from_each_other() -> Result<()> {
    let settings =
        Settings::default().flag("coordinator", "--holder", "twin").flag("coordinator", "--lease-ttl", "2s");
    let suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = calling(&suite, vector.window).await?;
    let twin = another_coordinator(&suite, "twin").await?;
    // The twin looks for runs to take up every second.
    let taken = suite.watch_until(&run.run_id, |run| run.lease_epoch > 1);
    let taken = tokio::time::timeout(Duration::from_secs(4), taken).await;
    assert!(taken.is_err(), "the run changed hands: {taken:?}");
    suite.command("coordinator", &["cancel", &run.run_id]).await?.success()?;
    assert!(!twin.log().contains(&run.run_id), "{}", twin.log());
    Ok(())
}

#[tokio::test]
async fn a_coordinator_that_is_asked_to_end_hands_its_run_over_at_once() -> Result<()> {
    let settings =
        Settings::default().flag("coordinator", "--lease-ttl", "1h").variable("DRAIN_TIMEOUT", "1s");
    let mut suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = calling(&suite, vector.window).await?;
    suite.process("coordinator")?.terminate().await?;
    suite.sources.faults.clear();
    // The lease would last an hour.
    suite.restart("coordinator").await?;
    let run = suite.watch_until(&run.run_id, has_ended).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(run.lease_epoch, 2);
    Ok(())
}

#[tokio::test]
async fn a_stage_service_killed_in_its_stage_costs_the_run_nothing() -> Result<()> {
    let mut suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = calling(&suite, vector.window).await?;
    suite.process("ingest-api")?.kill().await?;
    suite.sources.faults.clear();
    let waiting = suite
        .watch_until(&run.run_id, |run| {
            stage(run, STAGE_CALL_PRODUCT_API).is_ok_and(|stage| stage.waiting_for_service_since.is_some())
        })
        .await?;
    let shown = suite.command("coordinator", &["runs", "show", &waiting.run_id]).await?.success()?;
    assert!(shown.contains("waiting for ingest-api since"), "{shown}");
    let attempts = stage(&waiting, STAGE_CALL_PRODUCT_API)?.attempt;
    suite.restart("ingest-api").await?;
    let run = suite.watch_until(&run.run_id, has_ended).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    // No coordinator was there to make an attempt in between.
    assert_eq!(stage(&run, STAGE_CALL_PRODUCT_API)?.attempt, attempts + 1);
    Ok(())
}

#[tokio::test]
async fn a_stage_service_that_stays_away_fails_the_run_by_its_name() -> Result<()> {
    let settings = Settings::default().flag("coordinator", "--stage-connect-timeout", "1s");
    let mut suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.process("ingest-api")?.kill().await?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Failed);
    let reported = &stage(&run, STAGE_CALL_PRODUCT_API)?.error_message;
    assert!(reported.starts_with("ingest-api could not be reached for 1s"), "{reported}");
    assert!(!has_begun(&run, STAGE_VALIDATE));
    Ok(())
}

#[tokio::test]
async fn a_trigger_that_is_there_before_its_server_waits_for_it() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let free = TcpListener::bind(ANY_PORT)?.local_addr()?;
    let server = format!("http://{free}");
    let (from, to) = (vector.window.start().to_string(), vector.window.end().to_string());
    let arguments = ["trigger", "--from", &from, "--to", &to, "--wait", "--server", &server];
    let trigger = cli::run(ACTIVITYCTL, &arguments, &[]);
    let endpoint =
        |service: &'static str| -> Result<String> { Ok(format!("{service}={}", suite.url_of(service)?)) };
    let services = [endpoint("ingest-crm")?, endpoint("ingest-api")?, endpoint("transform")?].join(",");
    let late = async {
        let url = suite.warehouse_url();
        let arguments = ["--warehouse-url", &url, "--stage-endpoint", &services];
        Process::start(e2e::binaries::Build::Current, "coordinator", free, arguments, &[]).await
    };
    let (triggered, server) = tokio::join!(trigger, late);
    let (triggered, _server) = (triggered?, server?);
    assert_eq!(triggered.code, 0, "{triggered:?}");
    Ok(())
}

#[tokio::test]
async fn a_command_gives_up_a_server_that_stays_away() -> Result<()> {
    let arguments = ["trigger", "--connect-timeout", "500ms", "--server", "http://127.0.0.1:1"];
    let outcome = cli::run(ACTIVITYCTL, &arguments, &[]).await?;
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("waiting up to 500ms for http://127.0.0.1:1"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cannot reach http://127.0.0.1:1"), "{}", outcome.stderr);
    Ok(())
}
