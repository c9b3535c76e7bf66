//! Attempts of stages that did not succeed.

use domain::run::{DAILY_PIPELINE, STAGE_COPY_CRM_CSV};
use warehouse_core::{CutOff, StageAttempt, StageFailure};

use crate::{
    engine::EngineUnderTest,
    scene::{TTL, at, days, failure, hold_run, take_up},
};

/// What did not succeed is kept with its times and its error, also once the stage starts over.
pub async fn attempts_that_did_not_succeed_are_on_record(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let run_id = run.run.run_id;
    let earlier = async || run.reload().await.stages.swap_remove(0).earlier_attempts;
    let begin =
        async |epoch, hour| warehouse.begin_stage(run_id, epoch, STAGE_COPY_CRM_CSV, at(hour)).await.unwrap();
    let recorded = |attempt, from, to, code: &str, message: &str, is_interruption| StageAttempt {
        attempt,
        started_at: at(from),
        ended_at: at(to),
        error_code: code.to_owned(),
        error_message: message.to_owned(),
        is_interruption,
    };

    let first = begin(1, 1).await;
    warehouse.fail_stage(&first, &failure(true), None, at(2)).await.unwrap();
    let failed = recorded(1, 1, 2, "UNAVAILABLE", "the source is gone", false);
    assert_eq!(earlier().await, std::slice::from_ref(&failed));
    let second = begin(1, 3).await;
    assert_eq!(earlier().await, std::slice::from_ref(&failed));
    let cut_off = StageFailure { is_interruption: true, ..failure(true) };
    warehouse.fail_stage(&second, &cut_off, None, at(4)).await.unwrap();
    let cut_off = recorded(2, 3, 4, "UNAVAILABLE", "the source is gone", true);
    assert_eq!(earlier().await, [failed.clone(), cut_off.clone()]);

    // Its holder disappears.
    begin(1, 5).await;
    warehouse.release_lease(run_id, 1).await.unwrap();
    warehouse.acquire_run(DAILY_PIPELINE, "other", TTL, at(6)).await.unwrap().unwrap();
    let taken_over = recorded(3, 5, 6, CutOff::TakenOver.code(), CutOff::TakenOver.message(), true);
    assert_eq!(earlier().await, [failed.clone(), cut_off.clone(), taken_over.clone()]);
    begin(2, 7).await;
    assert_eq!(earlier().await, [failed.clone(), cut_off.clone(), taken_over.clone()]);

    // Somebody cancels the run, and lets it continue.
    warehouse.cancel_run(run_id, at(8)).await.unwrap();
    let cancelled = recorded(4, 7, 8, CutOff::Cancelled.code(), CutOff::Cancelled.message(), true);
    assert_eq!(earlier().await.last(), Some(&cancelled));
    warehouse.retry_run(run_id, None).await.unwrap();
    assert_eq!(earlier().await.last(), Some(&cancelled));
    let epoch = take_up(&warehouse, at(9)).await.run.lease_epoch;
    let fence = begin(epoch, 9).await;
    assert_eq!(earlier().await, [failed, cut_off, taken_over, cancelled]);

    // An attempt that succeeds is none of them, and a run remembers the last ones alone.
    warehouse.fail_stage(&fence, &failure(true), None, at(10)).await.unwrap();
    for hour in 10..30 {
        let fence = begin(epoch, hour).await;
        warehouse.fail_stage(&fence, &failure(true), None, at(hour)).await.unwrap();
    }
    run.complete(&begin(epoch, 30).await).await;
    let numbers: Vec<u32> = earlier().await.iter().map(|attempt| attempt.attempt).collect();
    assert_eq!(numbers, (6..=25).collect::<Vec<_>>());
}
