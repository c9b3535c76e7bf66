//! What a trace shows of the audits.

use domain::audit::AuditLevel;
use runtime::StoppedClock;
use test_telemetry::{Recorder, Trace};
use warehouse_conformance::scene::{at, day, days, hold_run};

use super::*;

/// Validates two days, the second of which has no usage.
async fn validate(policy: AuditPolicy) -> (Result<StageOutcome, StageError>, Trace) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/w.sqlite", folder.path().display());
    let warehouse = warehouse::open(&url).await.unwrap();
    let run = hold_run(&warehouse, days(0, 1), at(0)).await;
    run.ingest(&[], &[(day(0), vec![("acme", 1, 2)])]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let call = StageCall {
        fence,
        pipeline: run.run.pipeline.clone(),
        window: run.run.window,
        accept_empty_days: std::collections::BTreeSet::new(),
    };
    let stages = FactStages { warehouse, policy, clock: Arc::new(StoppedClock(at(6))) };
    let recorder = Recorder::start().unwrap();
    recorder.trace(stages.execute(call, Arc::new(|_| ()))).await
}

#[tokio::test]
async fn every_finding_is_an_event_of_the_stages_span() {
    let levels = [
        (AuditLevel::Off, false, None),
        (AuditLevel::Warn, false, Some("an audit warns")),
        (AuditLevel::Block, true, Some("an audit blocks the publish")),
    ];
    for (level, is_blocked, expected) in levels {
        let (outcome, trace) =
            validate(AuditPolicy { source_rows_present: level, ..AuditPolicy::default() }).await;
        assert_eq!(outcome.is_err(), is_blocked, "{outcome:?}");
        let events: Vec<&str> = trace.named("test")[0].events.iter().map(String::as_str).collect();
        assert_eq!(events, Vec::from_iter(expected), "{level:?}");
    }
}
