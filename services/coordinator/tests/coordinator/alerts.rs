//! Failures reach people once.

use std::{collections::BTreeSet, time::Duration};

use domain::{
    AlertCause, DateWindow, FailureKind, RunTrigger,
    date_window::parse_day,
    run::{DAILY_PIPELINE, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use proto::notifier::v1::DeliveryState;
use tonic::Status;
use uuid::Uuid;
use warehouse::{NewAlert, NewRun, NewStage, StageFailure, WindowChoice};

use crate::{
    script::Step,
    suite::{Coordinator, Suite, now},
};

const BROKEN: Step = Step::Fail(FailureKind::InvalidInput, "companies.csv line 7: no company_id");

#[tokio::test]
async fn a_failed_stage_is_reported_with_everything_people_need() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::Unavailable, "away"), BROKEN]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    let alerts = suite.notifier.reported(1).await;
    let alert = alerts.first().unwrap();
    assert_eq!(alert.alert_key, format!("{}/{STAGE_COPY_CRM_CSV}/2", run.run_id));
    assert_eq!(alert.pipeline, "pl_company_activity_daily");
    assert_eq!(alert.stage, STAGE_COPY_CRM_CSV);
    assert_eq!(alert.error_message, "companies.csv line 7: no company_id");
    assert_eq!(alert.error_code, "DATA_LOSS");
    assert_eq!(alert.run_id, run.run_id);
    assert_eq!(alert.business_date, "2026-02-13");
    assert_eq!(alert.attempt, 2);
}

#[tokio::test]
async fn every_failed_stage_is_reported_once() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [BROKEN]);
    suite.script.plan(STAGE_CALL_PRODUCT_API, [BROKEN]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    coordinator.ended(&run.run_id).await;
    suite.notifier.reported(2).await;
    assert_settled(&suite, coordinator).await;
    let mut reported: Vec<String> =
        suite.notifier.alerts.borrow().iter().map(|alert| alert.stage.clone()).collect();
    reported.sort_unstable();
    assert_eq!(reported, [STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV]);
}

#[tokio::test]
async fn an_alert_is_delivered_again_under_its_key_until_it_arrives() {
    let suite = Suite::new().await;
    suite.notifier.answers.lock().unwrap().extend([
        Err(Status::unavailable("the notifier restarts")),
        Ok(DeliveryState::Retryable),
        Ok(DeliveryState::Delivered),
    ]);
    suite.script.plan(STAGE_COPY_CRM_CSV, [BROKEN]);
    let coordinator = suite.start("coordinator-0");
    coordinator.trigger().await;
    suite.notifier.reported(3).await;
    assert_settled(&suite, coordinator).await;
    let alerts = suite.notifier.alerts.borrow().clone();
    assert_eq!(alerts.len(), 3);
    assert!(alerts.iter().all(|alert| *alert == alerts[0]));
}

#[tokio::test]
async fn a_refused_alert_is_not_delivered_for_ever() {
    let suite = Suite::new().await;
    suite.notifier.answers.lock().unwrap().push_back(Ok(DeliveryState::Refused));
    suite.script.plan(STAGE_COPY_CRM_CSV, [BROKEN]);
    let coordinator = suite.start("coordinator-0");
    coordinator.trigger().await;
    suite.notifier.reported(1).await;
    assert_settled(&suite, coordinator).await;
    assert_eq!(suite.notifier.alerts.borrow().len(), 1);
}

#[tokio::test]
async fn without_a_notifier_an_alert_is_settled_in_the_log() {
    let mut suite = Suite::new().await;
    suite.disconnect_notifier();
    suite.script.plan(STAGE_COPY_CRM_CSV, [BROKEN]);
    let coordinator = suite.start("coordinator-0");
    coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_settled(&suite, coordinator).await;
    assert!(suite.notifier.alerts.borrow().is_empty());
}

#[tokio::test]
async fn an_alert_that_a_dead_coordinator_left_is_delivered_by_the_next_one() {
    let suite = Suite::new().await;
    let run_id = Uuid::from_u128(7);
    fail_as_a_coordinator_that_dies(&suite, run_id).await;
    let _coordinator = suite.start("coordinator-1");
    let alerts = suite.notifier.reported(1).await;
    assert_eq!(alerts[0].run_id, run_id.to_string());
}

async fn fail_as_a_coordinator_that_dies(suite: &Suite, run_id: Uuid) {
    let stage = STAGE_COPY_CRM_CSV.to_owned();
    let day = parse_day("2026-02-13").unwrap();
    let new = NewRun {
        run_id,
        pipeline: DAILY_PIPELINE.to_owned(),
        window: WindowChoice::Days(DateWindow::day(day)),
        trigger: RunTrigger::Manual,
        force: false,
        accept_empty_days: BTreeSet::new(),
        rebuild_days: BTreeSet::new(),
        stages: vec![NewStage { stage: stage.clone(), service: "ingest-crm".to_owned(), depends_on: vec![] }],
        requested_by: "tester".to_owned(),
        traceparent: None,
        created_at: now(),
    };
    suite.warehouse.create_run(new).await.unwrap();
    let lease = Duration::from_secs(30);
    let run = suite
        .warehouse
        .acquire_run(DAILY_PIPELINE, "coordinator-0", lease, now())
        .await
        .unwrap()
        .unwrap()
        .run;
    let fence = suite.warehouse.begin_stage(run_id, run.lease_epoch, &stage, now()).await.unwrap();
    let failure = StageFailure {
        code: "DATA_LOSS".to_owned(),
        message: "garbage".to_owned(),
        will_retry: false,
        is_interruption: false,
    };
    let alert = NewAlert {
        cause: AlertCause::StageFailed,
        alert_key: "left behind".to_owned(),
        pipeline: run.pipeline,
        stage,
        attempt: fence.attempt,
        error_code: failure.code.clone(),
        error_message: failure.message.clone(),
        run_id,
        business_date: day,
        failed_at: now(),
    };
    suite.warehouse.fail_stage(&fence, &failure, Some(&alert), now()).await.unwrap();
}

/// Waits until nothing in the outbox is due, and checks that this is not just
/// because a delivery is in progress. In these tests deferred alerts are due at
/// once, and claims of zero duration leave alerts to the coordinator.
async fn assert_settled(suite: &Suite, coordinator: Coordinator) {
    let due = async || suite.warehouse.claim_due_alerts(10, Duration::ZERO).await.unwrap();
    let mut polls = tokio::time::interval(Duration::from_millis(5));
    while !due().await.is_empty() {
        polls.tick().await;
    }
    coordinator.context.shutdown.cancel();
    coordinator.drained().await;
    assert_eq!(due().await, []);
}
