//! What is retried, what is not, and what a caller can do about it.

use domain::{
    FailureKind,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::pipeline::v1::{CancelRunRequest, RetryRunRequest, RunState, StageState, WatchRunRequest};
use tonic::Code;

use crate::{
    script::Step,
    suite::{Suite, assert_succeeded, in_time, now, stage, stage_states},
};

const AWAY: Step = Step::Fail(FailureKind::Unavailable, "the source is away");

#[tokio::test]
async fn a_transient_failure_is_tried_again_until_it_succeeds() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_CALL_PRODUCT_API, [AWAY, AWAY, AWAY]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_succeeded(&run);
    assert_eq!(stage(&run, STAGE_CALL_PRODUCT_API).attempt, 4);
    let attempts: Vec<u32> =
        suite.script.calls(STAGE_CALL_PRODUCT_API).iter().map(|call| call.fence.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
    let ended = stage(&run, STAGE_CALL_PRODUCT_API);
    let earlier = ended.earlier_attempts.iter().map(|ended| (ended.attempt, ended.error_message.as_str()));
    assert_eq!(earlier.collect::<Vec<_>>(), [1, 2, 3].map(|attempt| (attempt, "the source is away")));
    assert!(
        ended
            .earlier_attempts
            .iter()
            .all(|ended| ended.error_code == "UNAVAILABLE" && !ended.is_interruption)
    );
    assert_eq!(ended.next_attempt_time, None);
    assert!(suite.notifier.alerts.borrow().is_empty());
}

#[tokio::test]
async fn a_stage_that_waits_for_its_next_attempt_says_until_when() {
    let mut suite = Suite::new().await;
    suite.edit_pipeline("initial_backoff: 5ms, max_backoff: 20ms", "initial_backoff: 1h, max_backoff: 1h");
    suite.script.plan(STAGE_CALL_PRODUCT_API, [AWAY]);
    let coordinator = suite.start("coordinator-0");
    let run_id = coordinator.trigger().await.run_id;
    let mut watch =
        coordinator.client.clone().watch_run(WatchRunRequest { run_id }).await.unwrap().into_inner();
    let due = loop {
        let run = in_time(watch.message()).await.unwrap().unwrap().run.unwrap();
        let waiting = stage(&run, STAGE_CALL_PRODUCT_API);
        if let Some(due) = waiting.next_attempt_time {
            assert_eq!((waiting.state(), waiting.attempt), (StageState::Pending, 1));
            break due.seconds - now().timestamp();
        }
    };
    // Jitter takes at most half of the hour.
    assert!((1_800..=3_600).contains(&due), "{due}");
}

#[tokio::test]
async fn attempts_run_out() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_CALL_PRODUCT_API, vec![AWAY; 5]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_eq!(run.state(), RunState::Failed);
    assert_eq!(stage(&run, STAGE_CALL_PRODUCT_API).error_code, "UNAVAILABLE");
    assert_eq!(suite.script.calls(STAGE_CALL_PRODUCT_API).len(), 4);
}

#[tokio::test]
async fn a_lasting_failure_is_not_tried_again() {
    for kind in [FailureKind::InvalidInput, FailureKind::FailedPrecondition, FailureKind::Unauthenticated] {
        let suite = Suite::new().await;
        suite.script.plan(STAGE_BUILD_FACT, [Step::Fail(kind, "no")]);
        let coordinator = suite.start("coordinator-0");
        let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
        assert_eq!(run.state(), RunState::Failed);
        assert_eq!(suite.script.calls(STAGE_BUILD_FACT).len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_stage_beyond_its_timeout_is_cancelled_and_tried_again() {
    let mut suite = Suite::new().await;
    suite.edit_pipeline("service: ingest-crm", "service: ingest-crm\n    timeout: 100ms");
    suite.script.plan(STAGE_COPY_CRM_CSV, vec![Step::Hang; 4]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    let copied = stage(&run, STAGE_COPY_CRM_CSV);
    assert_eq!((copied.attempt, copied.error_code.as_str()), (4, "DEADLINE_EXCEEDED"));
    assert!(copied.error_message.contains("timeout of 100ms"), "{}", copied.error_message);
    assert_eq!(suite.script.cancelled(STAGE_COPY_CRM_CSV).await.fence.attempt, 1);
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_counts() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_BUILD_FACT, [Step::CommitAndBreak]);
    let coordinator = suite.start("coordinator-0");
    assert_succeeded(&coordinator.ended(&coordinator.trigger().await.run_id).await);
    assert_eq!(suite.script.calls(STAGE_BUILD_FACT).len(), 1);
}

#[tokio::test]
async fn a_result_without_a_commit_does_not_count() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_BUILD_FACT, [Step::Lie]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_eq!(run.state(), RunState::Failed);
    assert_eq!(stage(&run, STAGE_BUILD_FACT).error_code, "INTERNAL");
    assert!(suite.script.calls(STAGE_VALIDATE).is_empty());
}

#[tokio::test]
async fn a_retried_run_goes_on_at_the_failed_stage() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::InvalidInput, "garbage")]);
    let coordinator = suite.start("coordinator-0");
    let failed = coordinator.ended(&coordinator.trigger().await.run_id).await;
    let request = RetryRunRequest { run_id: failed.run_id.clone() };
    let queued =
        coordinator.client.clone().retry_run(request.clone()).await.unwrap().into_inner().run.unwrap();
    assert_eq!(queued.run_id, failed.run_id);
    let run = coordinator.ended(&failed.run_id).await;
    assert_succeeded(&run);
    assert!(run.lease_epoch > failed.lease_epoch);
    assert_eq!(suite.script.calls(STAGE_CALL_PRODUCT_API).len(), 1);
    assert_eq!(suite.script.calls(STAGE_COPY_CRM_CSV).len(), 2);
    let refused = coordinator.client.clone().retry_run(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_cancelled_run_stops_at_once_and_its_fences_are_refused() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Hang]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.trigger().await;
    let call = suite.script.called(STAGE_COPY_CRM_CSV, 1).await;
    let request = CancelRunRequest { run_id: run.run_id.clone() };
    coordinator.client.clone().cancel_run(request).await.unwrap();
    // Long before the next renewal of the lease.
    suite.script.cancelled(STAGE_COPY_CRM_CSV).await;
    let run = coordinator.ended(&run.run_id).await;
    assert_eq!(run.state(), RunState::Cancelled);
    assert_eq!(stage_states(&run)[2..], [StageState::Cancelled; 2]);
    let late = suite.warehouse.complete_stage(&call.fence, domain::Counters::default(), &[], now()).await;
    assert!(matches!(late, Err(warehouse::Error::Fenced { .. })), "{late:?}");
    // The coordinator is free for the next run.
    let next = coordinator.trigger_day("2026-02-12").await;
    assert_succeeded(&coordinator.ended(&next.run_id).await);
}
