//! A collector that is unreachable or too slow costs only traces.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use e2e::{
    found, services,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use tokio::net::TcpListener;

/// How long an idle process may take to shut down: sending pending telemetry
/// may take five seconds, the rest is for a machine that is busy with other
/// tests.
const END: Duration = Duration::from_secs(15);

/// Executes a run on processes whose collector is at `endpoint`, and shuts them down.
async fn lives_well(layout: Layout, services: &[&'static str], endpoint: &str) -> Result<()> {
    let mut suite = Suite::start(layout, Settings::default().telemetry(endpoint)).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;
    let works = services.iter().find(|service| ["ingest-api", ACTIVITYCTL].contains(service));
    let admin = suite.admin(works.context("nobody works")?)?;
    found("the count of spans that were not sent", async || {
        Ok(lost_spans(&admin.metrics().await?)?.filter(|lost| *lost > 0.0))
    })
    .await?;
    let asked = Instant::now();
    for service in services {
        suite.process(service)?.ask_to_end()?;
    }
    for service in services {
        let status = suite.process(service)?.ended().await?;
        assert!(status.success(), "{service}: {status}");
        assert!(asked.elapsed() < END, "{service} took {:?}", asked.elapsed());
    }
    Ok(())
}

/// The number of spans that were dropped or could not be sent.
fn lost_spans(metrics: &str) -> Result<Option<f64>> {
    let mut lost = None;
    for line in metrics.lines().filter(|line| line.starts_with("company_activity_telemetry_spans_total{")) {
        if !line.contains(r#"outcome="exported""#) {
            let (_, count) = line.rsplit_once(' ').with_context(|| line.to_owned())?;
            *lost.get_or_insert(0.0) += count.parse::<f64>()?;
        }
    }
    Ok(lost)
}

/// An address without a listener.
async fn nobody() -> Result<String> {
    Ok(format!("http://{}", TcpListener::bind("127.0.0.1:0").await?.local_addr()?))
}

#[tokio::test]
async fn without_a_collector_separate_processes_work_and_end_as_always() -> Result<()> {
    lives_well(Layout::Separate, &services::always(), &nobody().await?).await
}

#[tokio::test]
async fn without_a_collector_one_process_works_and_ends_as_always() -> Result<()> {
    lives_well(Layout::Standalone, &[ACTIVITYCTL], &nobody().await?).await
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_a_run_nor_the_end_of_separate_processes()
-> Result<()> {
    // The kernel accepts connections, but nothing ever reads from them.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    lives_well(Layout::Separate, &services::always(), &format!("http://{}", silent.local_addr()?)).await
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_a_run_nor_the_end_of_one_process() -> Result<()> {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    lives_well(Layout::Standalone, &[ACTIVITYCTL], &format!("http://{}", silent.local_addr()?)).await
}
