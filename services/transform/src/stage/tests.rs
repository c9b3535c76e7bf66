//! What a trace shows of the audits.

use domain::audit::AuditLevel;
use runtime::StoppedClock;
use test_telemetry::{Recorder, Trace};
use warehouse_conformance::scene::{at, day, days, hold_run};

use super::*;

/// Validates two days, the second of which has no usage; also returns what is on record of it.
async fn validate(policy: AuditPolicy) -> (Result<StageOutcome, StageError>, Trace, RunAudits) {
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
    let stages = FactStages { warehouse: warehouse.clone(), policy, clock: Arc::new(StoppedClock(at(6))) };
    let recorder = Recorder::start().unwrap();
    let (outcome, trace) = recorder.trace(stages.execute(call, Arc::new(|_| ()))).await;
    (outcome, trace, warehouse.run_audits(run.run.run_id).await.unwrap().unwrap())
}

#[tokio::test]
async fn every_finding_is_an_event_of_the_stages_span() {
    let levels = [
        (AuditLevel::Off, false, None),
        (AuditLevel::Warn, false, Some("an audit warns")),
        (AuditLevel::Block, true, Some("an audit blocks the publish")),
    ];
    for (level, is_blocked, expected) in levels {
        let (outcome, trace, _) =
            validate(AuditPolicy { source_rows_present: level, ..AuditPolicy::default() }).await;
        assert_eq!(outcome.is_err(), is_blocked, "{outcome:?}");
        let events: Vec<&str> = trace.named("test")[0].events.iter().map(String::as_str).collect();
        assert_eq!(events, Vec::from_iter(expected), "{level:?}");
    }
}

#[tokio::test]
async fn what_audits_found_is_on_record_whether_or_not_it_blocks() {
    for level in [AuditLevel::Off, AuditLevel::Warn, AuditLevel::Block] {
        let policy = AuditPolicy { source_rows_present: level, ..AuditPolicy::default() };
        let (_, _, audits) = validate(policy).await;
        assert_eq!(audits.audited_at, at(6));
        assert_eq!(audits.results.len(), 8);
        let silent = audits.results.iter().find(|result| result.audit == "source_rows_present").unwrap();
        let message = format!("the product API has no usage record for {}", day(1));
        let expected = if level == AuditLevel::Off { vec![] } else { vec![message] };
        assert_eq!((silent.level, &silent.findings), (level, &expected));
        assert_eq!(silent.finding_count, expected.len() as u64);
        let measured: Vec<_> = audits.days.iter().map(|day| (day.day, day.source_rows)).collect();
        assert_eq!(measured, [(day(0), 1), (day(1), 0)]);
    }
}
