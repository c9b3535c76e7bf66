//! What watchers of the pipeline are told of it.

use domain::{
    FailureKind,
    audit::{AuditLevel, AuditResult, DayMeasurements},
    run::{STAGE_BUILD_FACT, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::{
    monitoring::v1::{
        AuditLevel as AuditLevelProto, GetPipelineStatusRequest, ListAlertsRequest, ListAlertsResponse,
        ListAuditResultsRequest,
    },
    notifier::v1::AlertCause,
    pipeline::v1::RunState,
};
use tonic::Code;
use warehouse::{RunAudits, SharedWarehouse};
use warehouse_conformance::scene::{at, hold_run};

use crate::{
    script::Step,
    suite::{Coordinator, Suite, now},
};

async fn alerts(coordinator: &Coordinator, asked: ListAlertsRequest) -> ListAlertsResponse {
    coordinator.monitoring().list_alerts(asked).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_status_names_stages_deadline_and_active_runs() {
    let mut suite = Suite::new().await;
    suite.set_publish_deadline(9);
    suite.script.plan(STAGE_BUILD_FACT, [Step::Hang]);
    let coordinator = suite.start("coordinator-0");
    let status = async || {
        let asked = GetPipelineStatusRequest::default();
        coordinator.monitoring().get_pipeline_status(asked).await.unwrap().into_inner()
    };
    let idle = status().await;
    assert_eq!(idle.pipeline, "pl_company_activity_daily");
    let build = idle.stages.iter().find(|stage| stage.stage == STAGE_BUILD_FACT).unwrap();
    assert_eq!((build.service.as_str(), build.max_attempts, build.depends_on.len()), ("transform", 4, 2));
    assert_eq!(build.timeout.unwrap().seconds, 30 * 60);
    let deadline = idle.deadline.unwrap();
    assert_eq!((deadline.activity_date.as_str(), deadline.is_missed), ("2026-02-13", false));
    assert_eq!(deadline.deadline_time.unwrap().seconds, now().timestamp() + 3 * 3_600);
    assert!(idle.active_run_ids.is_empty());

    let running = coordinator.trigger_day("2026-02-13").await.run_id;
    suite.script.called(STAGE_BUILD_FACT, 1).await;
    let queued = [coordinator.trigger_day("2026-02-11").await, coordinator.trigger_day("2026-02-12").await];
    let expected: Vec<String> = [running].into_iter().chain(queued.map(|run| run.run_id)).collect();
    assert_eq!(status().await.active_run_ids, expected);
    let other = GetPipelineStatusRequest { pipeline: "pl_hourly".to_owned() };
    let refused = coordinator.monitoring().get_pipeline_status(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_pipeline_without_a_deadline_has_none() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let asked = GetPipelineStatusRequest::default();
    let status = coordinator.monitoring().get_pipeline_status(asked).await.unwrap().into_inner();
    assert_eq!(status.deadline, None);
    assert_eq!(status.backlog.unwrap().alerts, 0);
}

#[tokio::test]
async fn alerts_are_listed_and_close_with_the_days_publication() {
    let suite = Suite::new().await;
    let broken = || Step::Fail(FailureKind::InvalidInput, "companies.csv line 7: no company_id");
    suite.script.plan(STAGE_COPY_CRM_CSV, [broken(), broken()]);
    let coordinator = suite.start("coordinator-0");
    let first = coordinator.trigger_day("2026-02-12").await.run_id;
    coordinator.ended(&first).await;
    suite.clock.pass(60);
    let second = coordinator.trigger_day("2026-02-13").await.run_id;
    coordinator.ended(&second).await;
    suite.notifier.reported(2).await;

    let newest = alerts(&coordinator, ListAlertsRequest { page_size: 1, ..Default::default() }).await;
    let found = newest.alerts[0].alert.as_ref().unwrap();
    assert_eq!((found.run_id.as_str(), found.cause()), (second.as_str(), AlertCause::StageFailed));
    assert!(newest.alerts[0].is_open);
    let next = ListAlertsRequest { page_token: newest.next_page_token, page_size: 1, ..Default::default() };
    let next = alerts(&coordinator, next).await;
    assert_eq!(next.alerts[0].alert.as_ref().unwrap().run_id, first);
    assert!(next.next_page_token.is_empty());
    let of_run = ListAlertsRequest { run_id: first.clone(), ..Default::default() };
    assert_eq!(alerts(&coordinator, of_run).await.alerts.len(), 1);

    suite.clock.pass(60);
    let retried = proto::pipeline::v1::RetryRunRequest { run_id: second };
    let retried = coordinator.client.clone().retry_run(retried).await.unwrap().into_inner().run.unwrap();
    assert_eq!(coordinator.ended(&retried.run_id).await.state(), RunState::Succeeded);
    let open = alerts(&coordinator, ListAlertsRequest { only_open: true, ..Default::default() }).await;
    let open: Vec<_> = open.alerts.into_iter().map(|found| found.alert.unwrap().run_id).collect();
    assert_eq!(open, [first]);
}

/// A run that audited two days, and found something on the second.
async fn audited(warehouse: &SharedWarehouse) -> String {
    let window = domain::DateWindow::parse("2026-02-12", "2026-02-13").unwrap();
    let run = hold_run(warehouse, window, at(0)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let day = |day| DayMeasurements {
        day,
        rows: 5,
        expected_rows: 5,
        source_rows: 4,
        recent_median_source_rows: Some(9.5),
    };
    let audits = RunAudits {
        audited_at: at(1),
        results: vec![AuditResult {
            audit: "volume".to_owned(),
            level: AuditLevel::Warn,
            rule: "a thin day".to_owned(),
            findings: vec!["2026-02-13 is thin".to_owned()],
            finding_count: 1,
        }],
        days: window.days().map(day).collect(),
    };
    warehouse.record_audits(&fence, &audits).await.unwrap();
    warehouse.publish_fact(&fence, window, &[], at(2)).await.unwrap();
    run.finish().await.unwrap();
    fence.run_id.to_string()
}

#[tokio::test]
async fn audits_are_told_of_a_run_and_of_the_run_that_published_a_day() {
    let suite = Suite::new().await;
    let run_id = audited(&suite.warehouse).await;
    let coordinator = suite.start("coordinator-0");
    let ask = async |run_id: &str, activity_date: &str| {
        let asked =
            ListAuditResultsRequest { run_id: run_id.to_owned(), activity_date: activity_date.to_owned() };
        coordinator.monitoring().list_audit_results(asked).await.map(tonic::Response::into_inner)
    };
    let of_run = ask(&run_id, "").await.unwrap();
    let volume = &of_run.results[0];
    assert_eq!((volume.level(), volume.finding_count), (AuditLevelProto::Warn, 1));
    assert_eq!((volume.rule.as_str(), volume.findings.len()), ("a thin day", 1));
    assert_eq!(of_run.days.len(), 2);
    let of_day = ask("", "2026-02-13").await.unwrap();
    assert_eq!(of_day.run_id, run_id);
    let days: Vec<_> = of_day.days.iter().map(|day| (day.activity_date.as_str(), day.rows)).collect();
    assert_eq!(days, [("2026-02-13", 5)]);

    // The scripted stages audit nothing.
    let silent = coordinator.trigger_day("2026-02-10").await.run_id;
    coordinator.ended(&silent).await;
    let of_silent = ask(&silent, "").await.unwrap();
    assert_eq!((of_silent.results.len(), of_silent.audit_time), (0, None));
    for (run_id, day, code) in [
        ("", "2026-02-10", Code::NotFound),
        (&uuid::Uuid::nil().to_string(), "", Code::NotFound),
        ("", "", Code::InvalidArgument),
    ] {
        assert_eq!(ask(run_id, day).await.unwrap_err().code(), code, "{run_id} {day}");
    }
}
