//! Backfills run chunk by chunk and stop at the first failure.

use domain::{
    FailureKind,
    run::{STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
};
use proto::pipeline::v1::{BackfillRequest, BackfillResponse, RunState, RunTrigger, TriggerRunRequest};
use tonic::{Code, Status};

use crate::{
    script::Step,
    suite::{Coordinator, Suite, window},
};

/// All updates of a backfill, and how it ended.
async fn backfill(coordinator: &Coordinator, force: bool) -> (Vec<BackfillResponse>, Result<(), Status>) {
    let request = BackfillRequest {
        window: Some(window("2026-02-01", "2026-02-05")),
        chunk_days: 2,
        force,
        ..BackfillRequest::default()
    };
    let mut updates = coordinator.client.clone().backfill(request).await.unwrap().into_inner();
    let mut reported = Vec::new();
    loop {
        match updates.message().await {
            Ok(Some(update)) => reported.push(update),
            Ok(None) => return (reported, Ok(())),
            Err(status) => return (reported, Err(status)),
        }
    }
}

#[tokio::test]
async fn a_backfill_runs_its_chunks_from_the_oldest_day_and_counts_days() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let (updates, outcome) = backfill(&coordinator, false).await;
    outcome.unwrap();
    let windows: Vec<String> =
        suite.script.calls(STAGE_VALIDATE).iter().map(|call| call.window.to_string()).collect();
    assert_eq!(windows, ["2026-02-01..2026-02-02", "2026-02-03..2026-02-04", "2026-02-05"]);
    assert!(updates.iter().all(|update| update.run.as_ref().unwrap().trigger() == RunTrigger::Backfill));
    let mut done: Vec<u32> = updates.iter().map(|update| update.days_done).collect();
    done.dedup();
    assert_eq!(done, [0, 2, 4, 5]);
    assert!(updates.iter().all(|update| update.days_total == 5));
    let mut next: Vec<&str> = updates.iter().map(|update| update.next_date.as_str()).collect();
    next.dedup();
    assert_eq!(next, ["2026-02-01", "2026-02-03", "2026-02-05", ""]);
}

#[tokio::test]
async fn only_force_runs_again_what_has_succeeded() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    backfill(&coordinator, false).await.1.unwrap();
    let (updates, outcome) = backfill(&coordinator, false).await;
    outcome.unwrap();
    assert_eq!(updates.last().unwrap().days_done, 5);
    assert_eq!(suite.script.calls(STAGE_VALIDATE).len(), 3);
    backfill(&coordinator, true).await.1.unwrap();
    assert_eq!(suite.script.calls(STAGE_VALIDATE).len(), 6);
}

#[tokio::test]
async fn a_failed_chunk_ends_the_backfill() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    suite.script.plan(STAGE_CALL_PRODUCT_API, [Step::Fail(FailureKind::Unauthenticated, "token expired")]);
    let (updates, outcome) = backfill(&coordinator, false).await;
    let last = updates.last().unwrap();
    assert_eq!(last.run.as_ref().unwrap().state(), RunState::Failed);
    assert_eq!((last.days_done, last.next_date.as_str()), (0, "2026-02-01"));
    let status = outcome.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("act_call_product_api failed: token expired"), "{}", status.message());
    assert_eq!(suite.script.calls(STAGE_CALL_PRODUCT_API).len(), 1, "no further chunk is begun");
}

#[tokio::test]
async fn a_day_whose_newest_run_failed_is_run_again_without_force() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    backfill(&coordinator, false).await.1.unwrap();
    suite.script.plan(STAGE_CALL_PRODUCT_API, [Step::Fail(FailureKind::Unauthenticated, "token expired")]);
    // The third chunk just succeeded over the same day; that must not hide the failure.
    let day = window("2026-02-05", "2026-02-05");
    let request = TriggerRunRequest { window: Some(day), force: true, ..TriggerRunRequest::default() };
    let run = coordinator.client.clone().trigger_run(request).await.unwrap().into_inner().run.unwrap();
    assert_eq!(coordinator.ended(&run.run_id).await.state(), RunState::Failed);

    backfill(&coordinator, false).await.1.unwrap();
    let windows: Vec<String> =
        suite.script.calls(STAGE_VALIDATE).iter().map(|call| call.window.to_string()).collect();
    assert_eq!(windows[3..], ["2026-02-05"]);
}
