//! Runs survive failures of the coordinator.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{
    Counters, DateWindow, RunState as RunStateRow, RunTrigger, StageState,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::pipeline::v1::WatchRunRequest;
use tokio::sync::Notify;
use tonic::Code;
use uuid::Uuid;
use warehouse::{NewRun, WindowChoice};

use crate::{
    script::Step,
    suite::{Suite, assert_succeeded, now},
};

#[tokio::test]
async fn a_restarted_coordinator_resumes_at_the_first_unfinished_stage() {
    let mut suite = Suite::new().await;
    suite.set_lease_ttl(Duration::from_secs(1));
    suite.script.plan(STAGE_BUILD_FACT, [Step::Hang]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    let interrupted = suite.script.called(STAGE_BUILD_FACT, 1).await;
    coordinator.kill().await;
    suite.script.cancelled(STAGE_BUILD_FACT).await;

    let coordinator = suite.start("coordinator-0");
    let resumed = suite.script.called(STAGE_BUILD_FACT, 2).await;
    assert!(resumed.fence.epoch > interrupted.fence.epoch);
    assert!(resumed.fence.attempt > interrupted.fence.attempt);
    assert_eq!(resumed.window, interrupted.window);
    assert_succeeded(&coordinator.ended(&run.run_id).await);
    for ingest in [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API] {
        assert_eq!(suite.script.calls(ingest).len(), 1, "{ingest} had succeeded");
    }
    let late = suite.warehouse.complete_stage(&interrupted.fence, Counters::default(), &[], now()).await;
    assert!(matches!(late, Err(warehouse::Error::Fenced { .. })), "{late:?}");
}

#[tokio::test]
async fn an_interrupted_attempt_does_not_use_up_a_retry() {
    let mut suite = Suite::new().await;
    suite.set_lease_ttl(Duration::from_secs(1));
    suite.script.plan(STAGE_COPY_CRM_CSV, vec![Step::Hang; 5]);
    let mut run_id = None;
    for restart in 1..=5 {
        let coordinator = suite.start("coordinator-0");
        run_id.get_or_insert(coordinator.trigger().await.run_id);
        suite.script.called(STAGE_COPY_CRM_CSV, restart).await;
        coordinator.kill().await;
    }
    let coordinator = suite.start("coordinator-0");
    assert_succeeded(&coordinator.ended(&run_id.unwrap()).await);
}

#[tokio::test]
async fn another_replica_takes_over_once_the_lease_has_expired() {
    let mut suite = Suite::new().await;
    suite.set_lease_ttl(Duration::from_secs(1));
    suite.script.plan(STAGE_VALIDATE, [Step::Hang]);
    let first = suite.start("coordinator-0");
    let run = first.trigger().await;
    let held = suite.script.called(STAGE_VALIDATE, 1).await;
    let second = suite.start("coordinator-1");
    first.kill().await;
    assert_succeeded(&second.ended(&run.run_id).await);
    let taken_over = suite.script.called(STAGE_VALIDATE, 2).await;
    assert!(taken_over.fence.epoch > held.fence.epoch);
    assert_eq!(suite.script.calls(STAGE_BUILD_FACT).len(), 1);
}

#[tokio::test]
async fn a_live_lease_outlasts_its_duration_by_renewal() {
    let mut suite = Suite::new().await;
    suite.set_lease_ttl(Duration::from_secs(1));
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Await(Arc::clone(&go))]);
    let first = suite.start("coordinator-0");
    let run = first.trigger().await;
    suite.script.called(STAGE_COPY_CRM_CSV, 1).await;
    let _second = suite.start("coordinator-1");
    outlast_a_lease(&suite, Duration::from_secs(1)).await;
    go.notify_one();
    let run = first.ended(&run.run_id).await;
    assert_succeeded(&run);
    assert_eq!(run.lease_epoch, 1);
}

/// Waits until a lease of this duration, taken now by a dead holder, has
/// expired on the database's clock.
async fn outlast_a_lease(suite: &Suite, lease: Duration) {
    let new = NewRun {
        run_id: Uuid::from_u128(1),
        pipeline: "pl_abandoned".to_owned(),
        window: WindowChoice::Days(DateWindow::day(now().date_naive())),
        trigger: RunTrigger::Manual,
        force: false,
        accept_empty_days: BTreeSet::new(),
        rebuild_days: BTreeSet::new(),
        stages: vec![],
        requested_by: "tester".to_owned(),
        traceparent: None,
        created_at: now(),
    };
    suite.warehouse.create_run(new).await.unwrap();
    let acquire =
        async |holder| suite.warehouse.acquire_run("pl_abandoned", holder, lease, now()).await.unwrap();
    assert!(acquire("dead").await.is_some());
    let mut polls = tokio::time::interval(Duration::from_millis(50));
    while acquire("heir").await.is_none() {
        polls.tick().await;
    }
}

#[tokio::test]
async fn shutting_down_finishes_what_runs_and_starts_nothing_new() {
    let suite = Suite::new().await;
    let go = Arc::new(Notify::new());
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Await(Arc::clone(&go))]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    suite.script.called(STAGE_COPY_CRM_CSV, 1).await;
    let request = WatchRunRequest { run_id: run.run_id.clone() };
    let mut watch = coordinator.client.clone().watch_run(request).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();

    coordinator.context.shutdown.cancel();
    go.notify_one();
    let ended = loop {
        if let Err(status) = watch.message().await {
            break status;
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "a watcher must not hold up the end of the process");
    coordinator.drained().await;
    let stored = suite.warehouse.run(run.run_id.parse().unwrap()).await.unwrap().unwrap();
    let states: Vec<StageState> = stored.stages.iter().map(|stage| stage.state).collect();
    assert_eq!(stored.state, RunStateRow::Running);
    assert_eq!(states[0], StageState::Succeeded);
    assert_eq!(states[2..], [StageState::Pending; 2]);

    let coordinator = suite.start("coordinator-0");
    assert_succeeded(&coordinator.ended(&run.run_id).await);
    assert_eq!(suite.script.calls(STAGE_COPY_CRM_CSV).len(), 1);
}

#[tokio::test]
async fn a_hard_stop_cancels_what_runs_without_calling_it_a_failure() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Hang]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    suite.script.called(STAGE_COPY_CRM_CSV, 1).await;
    coordinator.context.shutdown.cancel();
    coordinator.context.hard_stop.cancel();
    coordinator.drained().await;
    suite.script.cancelled(STAGE_COPY_CRM_CSV).await;
    let stored = suite.warehouse.run(run.run_id.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.state, RunStateRow::Running);
    assert_eq!(stored.stages[0].failures, 0);
}
