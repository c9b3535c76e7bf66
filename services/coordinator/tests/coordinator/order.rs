//! Which stage waits for which.

use std::sync::Arc;

use domain::{
    FailureKind,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use proto::pipeline::v1::{RunState, StageState};
use tokio::sync::Barrier;

use crate::{
    script::Step,
    suite::{Suite, assert_succeeded, stage, stage_states},
};

#[tokio::test]
async fn the_ingests_overlap_and_everything_else_waits() {
    let suite = Suite::new().await;
    // Neither ingest passes this barrier unless the other runs at the same time.
    let both = Arc::new(Barrier::new(2));
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Meet(Arc::clone(&both))]);
    suite.script.plan(STAGE_CALL_PRODUCT_API, [Step::Meet(both)]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_succeeded(&run);
    let executed = suite.script.executed();
    assert_eq!(executed.len(), 4);
    assert_eq!(executed[2..], [STAGE_BUILD_FACT, STAGE_VALIDATE]);
    let progress = stage(&run, STAGE_BUILD_FACT).progress.clone().unwrap();
    assert_eq!(progress.counters.unwrap().rows_written, 3);
}

#[tokio::test]
async fn one_edit_makes_the_order_serial() {
    let mut suite = Suite::new().await;
    suite.edit_pipeline("depends_on: []", "depends_on: [act_copy_crm_csv]");
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::InvalidInput, "garbage")]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_eq!(run.state(), RunState::Failed);
    assert_eq!(suite.script.executed(), [STAGE_COPY_CRM_CSV]);
}

#[tokio::test]
async fn a_failed_stage_stops_what_depends_on_it_and_nothing_else() {
    let suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::InvalidInput, "no header in line 1")]);
    let coordinator = suite.start("coordinator-0");
    let run = coordinator.ended(&coordinator.trigger().await.run_id).await;
    assert_eq!(run.state(), RunState::Failed);
    let expected = [StageState::Failed, StageState::Succeeded, StageState::Skipped, StageState::Skipped];
    assert_eq!(stage_states(&run), expected);
    let failed = stage(&run, STAGE_COPY_CRM_CSV);
    assert_eq!(
        (failed.error_code.as_str(), failed.error_message.as_str()),
        ("DATA_LOSS", "no header in line 1")
    );
}

#[tokio::test]
async fn runs_execute_one_after_the_other() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let first = coordinator.trigger_day("2026-02-12").await;
    let second = coordinator.trigger_day("2026-02-13").await;
    assert!(first.run_id < second.run_id);
    assert_succeeded(&coordinator.ended(&second.run_id).await);
    assert_succeeded(&coordinator.ended(&first.run_id).await);
    let days: Vec<String> =
        suite.script.calls(STAGE_VALIDATE).iter().map(|call| call.window.to_string()).collect();
    assert_eq!(days, ["2026-02-12", "2026-02-13"]);
    let executed = suite.script.executed();
    assert_eq!(executed[3], STAGE_VALIDATE, "the first run ends before the second one starts: {executed:?}");
}
