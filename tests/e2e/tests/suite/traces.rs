//! One trace covers a run from beginning to end, whatever happens to it: read
//! from a collector in the test's process, and from a real Jaeger.

use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::run::{DAILY_PIPELINE, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV};
use e2e::{
    alerts::AlertReceiver,
    collector::Collector,
    runs::{STAGES, TRACE_URL, has_begun, is_in, stage, trace_id},
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{RetryRunRequest, RunState, StageState};
use sample_sources::Fault;

use crate::run_trees::{Attempt, alert_is_reported, attempts_are, is_whole, stages_are_reported, the_one};

const INGESTS: [&str; 2] = [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API];
const ALERTS: &str = "/alerts";

/// Separate processes whose traces go to `collector`.
async fn traced_suite(collector: &Collector, settings: Settings) -> Result<(Suite, Vector)> {
    let settings = settings.telemetry(&collector.endpoint()).flag("coordinator", "--trace-url", TRACE_URL);
    let suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    Ok((suite, vector))
}

async fn a_good_run(collector: Collector) -> Result<()> {
    let (suite, vector) = traced_suite(&collector, Settings::default()).await?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    let trace = collector.trace(&trace_id(&run)?, |trace| is_whole(trace, 1, &STAGES)).await?;
    let root = the_one(&trace, &trace.roots())?;
    assert_eq!((root.name.as_str(), root.service.as_str()), (DAILY_PIPELINE, "coordinator"));
    assert_eq!(root.error, None);
    assert_eq!(root.attributes["pipeline.run_id"], run.run_id);
    assert_eq!(root.attributes["pipeline.state"], "SUCCEEDED");
    assert_eq!(root.attributes["pipeline.business_date"], vector.window.end().to_string());
    stages_are_reported(&trace, &run, &STAGES)?;
    for name in STAGES {
        attempts_are(&trace, name, &[Attempt::Succeeded]);
    }
    Ok(())
}

#[tokio::test]
async fn a_good_run_is_one_trace() -> Result<()> {
    a_good_run(Collector::in_process().await?).await
}

#[tokio::test]
async fn jaeger_shows_a_good_run_as_one_trace() -> Result<()> {
    match Collector::jaeger().await? {
        Some(jaeger) => a_good_run(jaeger).await,
        None => Ok(()),
    }
}

/// A run that fails, alerts, and succeeds on retry.
async fn a_failed_run_and_its_retry(collector: Collector) -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let settings = Settings::default().flag("notifier", "--webhook-url", &receiver.url(ALERTS));
    let (suite, vector) = traced_suite(&collector, settings).await?;
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Failed, "{run:#?}");
    let reported = &stage(&run, STAGE_CALL_PRODUCT_API)?.error_message;
    let alert = receiver.wait_for(ALERTS, 1).await?;
    assert_eq!(alert.first().context("no alert")?.json["trace_url"], run.trace_url);

    let id = trace_id(&run)?;
    let trace =
        collector.trace(&id, |trace| is_whole(trace, 1, &INGESTS) && alert_is_reported(trace)).await?;
    let root = the_one(&trace, &trace.roots())?;
    let cause = format!("{STAGE_CALL_PRODUCT_API}: {reported}");
    assert_eq!((root.name.as_str(), root.error.as_ref()), (DAILY_PIPELINE, Some(&cause)), "{trace}");
    attempts_are(&trace, STAGE_COPY_CRM_CSV, &[Attempt::Succeeded]);
    attempts_are(
        &trace,
        STAGE_CALL_PRODUCT_API,
        &[Attempt::Failed { code: "UNAUTHENTICATED", message: reported }],
    );
    stages_are_reported(&trace, &run, &[STAGE_COPY_CRM_CSV])?;

    suite.sources.faults.clear();
    suite.pipeline()?.retry_run(RetryRunRequest { run_id: run.run_id.clone() }).await?;
    let retried = suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    assert_eq!(trace_id(&retried)?, id, "a retry is part of the run's trace");
    let trace = collector.trace(&id, |trace| is_whole(trace, 2, &STAGES)).await?;
    let first = the_one(&trace, &trace.roots())?;
    assert_eq!(first.error.as_ref(), Some(&cause), "{trace}");
    let again = *trace.named(DAILY_PIPELINE).last().context("no retry")?;
    assert_eq!((trace.path(again), again.error.as_ref()), (vec![DAILY_PIPELINE; 2], None), "{trace}");
    let failed = Attempt::Failed { code: "UNAUTHENTICATED", message: reported };
    attempts_are(&trace, STAGE_CALL_PRODUCT_API, &[failed, Attempt::Succeeded]);
    stages_are_reported(&trace, &retried, &STAGES)
}

#[tokio::test]
async fn a_failed_run_its_alert_and_its_retry_are_one_trace() -> Result<()> {
    a_failed_run_and_its_retry(Collector::in_process().await?).await
}

#[tokio::test]
async fn jaeger_shows_a_failed_run_its_alert_and_its_retry_as_one_trace() -> Result<()> {
    match Collector::jaeger().await? {
        Some(jaeger) => a_failed_run_and_its_retry(jaeger).await,
        None => Ok(()),
    }
}

/// A coordinator that is killed while the product API is silent.
async fn a_killed_coordinator(collector: Collector) -> Result<()> {
    let (mut suite, vector) =
        traced_suite(&collector, Settings::default().flag("coordinator", "--lease-ttl", "1s")).await?;
    let hangs = Fault::SlowFirstByte(Duration::from_secs(3600));
    suite.sources.faults.fail_next(usize::MAX / 2, hangs);
    let run = suite.trigger(vector.window, false).await?.run.context("no run")?;
    suite
        .watch_until(&run.run_id, |run| {
            has_begun(run, STAGE_CALL_PRODUCT_API) && is_in(run, STAGE_COPY_CRM_CSV, StageState::Succeeded)
        })
        .await?;
    let id = trace_id(&run)?;
    // Spans that a process has not sent when it is killed are lost.
    collector.trace(&id, |trace| !trace.named(STAGE_COPY_CRM_CSV).is_empty()).await?;
    suite.process("coordinator")?.kill().await?;
    suite.sources.faults.clear();
    suite.restart("coordinator").await?;
    let resumed = suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    assert_eq!(trace_id(&resumed)?, id, "whoever takes over goes on in the same trace");

    let trace = collector.trace(&id, |trace| is_whole(trace, 1, &STAGES)).await?;
    let root = the_one(&trace, &trace.named(DAILY_PIPELINE))?;
    assert_eq!(root.error, None);
    attempts_are(&trace, STAGE_COPY_CRM_CSV, &[Attempt::Succeeded]);
    attempts_are(&trace, STAGE_CALL_PRODUCT_API, &[Attempt::Interrupted, Attempt::Succeeded]);
    stages_are_reported(&trace, &resumed, &STAGES)?;
    // The killed process's end of the call is lost; the other end records that the call was cancelled.
    for orphan in trace.roots().into_iter().filter(|span| span.span_id != root.span_id) {
        assert_eq!((orphan.service.as_str(), orphan.kind.as_str()), ("ingest-api", "server"), "{trace}");
        assert_eq!(orphan.attributes["rpc.response.status_code"], "CANCELLED", "{trace}");
    }
    Ok(())
}

#[tokio::test]
async fn a_run_whose_coordinator_was_killed_is_one_trace() -> Result<()> {
    a_killed_coordinator(Collector::in_process().await?).await
}

#[tokio::test]
async fn jaeger_shows_a_run_whose_coordinator_was_killed_as_one_trace() -> Result<()> {
    match Collector::jaeger().await? {
        Some(jaeger) => a_killed_coordinator(jaeger).await,
        None => Ok(()),
    }
}
