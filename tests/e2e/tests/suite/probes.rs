//! What the admin port answers to Kubernetes and operators, from start to end.

use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::run::STAGE_CALL_PRODUCT_API;
use e2e::{
    admin::Admin,
    found,
    process::{ANY_PORT, Process},
    runs::has_begun,
    suite::Suite,
    vectors::Vector,
};
use sample_sources::Fault;
use tokio::net::TcpListener;

/// The answers to `/livez`, `/startupz` and `/readyz`.
async fn probes(admin: &Admin) -> Result<[u16; 3]> {
    Ok([admin.probe("/livez").await?, admin.probe("/startupz").await?, admin.probe("/readyz").await?])
}

const STARTING: [u16; 3] = [200, 503, 503];
const SERVING: [u16; 3] = [200, 200, 200];
const DRAINING: [u16; 3] = [200, 200, 503];

#[tokio::test]
async fn a_service_that_waits_for_its_warehouse_lives_but_has_not_started() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("postgres://somebody@{}/warehouse", silent.local_addr()?);
    let mut process = Process::begin("activity", ANY_PORT, ["--warehouse-url", &url], &[]).await?;
    assert_eq!(probes(&process.admin()?).await?, STARTING);
    assert!(process.terminate().await?.success());
    Ok(())
}

#[tokio::test]
async fn a_service_is_ready_until_it_drains_and_lives_until_it_has_drained() -> Result<()> {
    let mut suite = Suite::separate().await?;
    for service in suite.services() {
        assert_eq!(probes(&suite.admin(service)?).await?, SERVING, "{service}");
    }
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::SlowFirstByte(Duration::from_secs(3600)));
    let run = suite.trigger(vector.window, false).await?.run.context("no run")?;
    suite.watch_until(&run.run_id, |run| has_begun(run, STAGE_CALL_PRODUCT_API)).await?;
    // A stage is in progress, which the drain waits for.
    let admin = suite.admin("ingest-api")?;
    let ingest = suite.process("ingest-api")?;
    ingest.ask_to_end()?;
    found("the begin of the drain", async || {
        Ok(Some(probes(&admin).await?).filter(|answers| *answers == DRAINING))
    })
    .await?;
    // After a second request to end, it stops waiting.
    assert!(ingest.terminate().await?.success());
    Ok(())
}

#[tokio::test]
async fn the_log_level_of_a_running_process_can_be_changed() -> Result<()> {
    let suite = Suite::separate().await?;
    let window = Vector::gaps()?.window;
    let has_debug = |log: &str| log.contains(r#""level":"DEBUG""#);
    suite.fact_csv(window).await?;
    assert!(!has_debug(&suite.log_of("activity")?));
    suite.admin("activity")?.set_log("debug").await?;
    suite.fact_csv(window).await?;
    found("a line that only debugging writes", async || {
        Ok(has_debug(&suite.log_of("activity")?).then_some(()))
    })
    .await
}
