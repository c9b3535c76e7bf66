//! The fence that protects every change of data on behalf of a stage.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use domain::{
    Counters, DateWindow, StageState,
    run::{DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use futures::{StreamExt, stream};
use uuid::Uuid;
use warehouse_core::{Error, Fence, Result, SnapshotLimits, UsageLimits, WindowChoice};

use crate::{
    engine::EngineUnderTest,
    observed::observe,
    scene::{
        HeldRun, TTL, alert, all_days, at, company, day, days, export, failure, has_crm_export, hold_run,
        new_run, publish_run, published, rejected, stage_states, take_up, usage_day,
    },
};

const WINDOW_DAYS: (i64, i64) = (0, 2);

fn window() -> DateWindow {
    days(WINDOW_DAYS.0, WINDOW_DAYS.1)
}

/// Calls everything that changes data for a stage, and checks that each call is refused
/// and that together they change nothing.
async fn assert_refused(warehouse: &EngineUnderTest, fence: &Fence) {
    let before = observe(warehouse).await;
    let later = at(500);
    for (method, outcome) in attempts(warehouse, fence, later).await {
        assert!(
            matches!(&outcome, Err(Error::Fenced { fence: refused, .. }) if refused == fence),
            "{method} with {fence}: {outcome:?}"
        );
    }
    assert_eq!(observe(warehouse).await, before, "{fence}");
    assert!(!has_crm_export(warehouse, &export(day(1), "refused")).await);
    assert_eq!(warehouse.claim_due_alerts(10, Duration::ZERO).await.unwrap(), []);
}

/// One call of every fenced method, each with input that would change something.
async fn attempts(
    warehouse: &EngineUnderTest,
    fence: &Fence,
    now: DateTime<Utc>,
) -> Vec<(&'static str, Result<()>)> {
    let counters = Counters { rows_read: 1, rows_written: 1, ..Counters::default() };
    let companies = stream::iter([Ok(rejected(2, "bad", "bad"))]).boxed();
    let records = stream::iter([Ok(rejected(1, "bad", "bad"))]).boxed();
    let limits = SnapshotLimits::NONE;
    let refused_export = export(day(1), "refused");
    let alert = alert("refused", fence, now);
    vec![
        ("check_fence", warehouse.check_fence(fence).await),
        ("complete_stage", warehouse.complete_stage(fence, counters, &["remark".into()], now).await),
        ("fail_stage", warehouse.fail_stage(fence, &failure(true), Some(&alert), now).await),
        (
            "load_crm_export",
            warehouse.load_crm_export(fence, &refused_export, limits, companies, now).await.map(drop),
        ),
        (
            "load_usage_day",
            warehouse
                .load_usage_day(fence, &usage_day(day(3)), UsageLimits::NONE, records, now)
                .await
                .map(drop),
        ),
        ("build_fact", warehouse.build_fact(fence, window(), now, Arc::new(|_| ())).await.map(drop)),
        ("measure_candidates", warehouse.measure_candidates(fence, window()).await.map(drop)),
        ("publish_fact", warehouse.publish_fact(fence, window(), &[], now).await.map(drop)),
    ]
}

/// A run in its last stage with candidates that change published rows: only the fence
/// keeps them from being published.
async fn run_about_to_publish(warehouse: &EngineUnderTest) -> (HeldRun, Fence) {
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    publish_run(
        warehouse,
        window(),
        at(1),
        &[(export(day(0), "1"), companies)],
        &all_days(window(), &[(day(0), vec![("acme", 2, 8)])]),
    )
    .await;
    let run = hold_run(warehouse, window(), at(2)).await;
    run.ingest(&[], &[(day(0), vec![("acme", 2, 9), ("bolt", 1, 1)])]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    (run, fence)
}

/// Every method refuses an epoch, attempt, stage or run other than the one that may
/// write; the right one then still publishes.
pub async fn a_stale_epoch_or_attempt_changes_nothing(warehouse: EngineUnderTest) {
    let (_, fence) = run_about_to_publish(&warehouse).await;
    for stale in [
        Fence { epoch: fence.epoch + 1, ..fence.clone() },
        Fence { epoch: fence.epoch - 1, ..fence.clone() },
        Fence { attempt: fence.attempt + 1, ..fence.clone() },
        Fence { attempt: fence.attempt - 1, ..fence.clone() },
        Fence { stage: "act_unknown".to_owned(), ..fence.clone() },
        Fence { run_id: Uuid::now_v7(), ..fence.clone() },
    ] {
        assert_refused(&warehouse, &stale).await;
    }
    warehouse.publish_fact(&fence, window(), &[], at(3)).await.unwrap();
    let rows = published(&warehouse, days(0, 0)).await;
    assert_eq!(rows.iter().map(|row| row.events).collect::<Vec<_>>(), [9, 1]);
}

/// A stage that has not begun, has succeeded, has failed or waits for another attempt
/// writes nothing.
pub async fn a_stage_that_is_not_running_changes_nothing(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, window(), at(1)).await;
    let succeeded = run.begin(STAGE_COPY_CRM_CSV).await;
    assert_refused(&warehouse, &Fence { stage: STAGE_CALL_PRODUCT_API.to_owned(), ..succeeded.clone() })
        .await;
    assert_refused(
        &warehouse,
        &Fence { stage: STAGE_BUILD_FACT.to_owned(), attempt: 0, ..succeeded.clone() },
    )
    .await;
    run.complete(&succeeded).await;
    assert_refused(&warehouse, &succeeded).await;

    let first = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.fail(&first, true).await;
    assert_refused(&warehouse, &first).await;
    let second = run.begin(STAGE_CALL_PRODUCT_API).await;
    assert_eq!(second, Fence { attempt: 2, ..first.clone() });
    assert_refused(&warehouse, &first).await;
    run.fail(&second, false).await;
    assert_refused(&warehouse, &second).await;
}

/// A build or publish committed as its stage does not run twice.
pub async fn a_stage_commits_once(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, window(), at(1)).await;
    run.ingest(&[(export(day(0), "1"), vec![company("acme", "Acme")])], &[]).await;
    let build = run.begin(STAGE_BUILD_FACT).await;
    warehouse.build_fact(&build, window(), at(1), Arc::new(|_| ())).await.unwrap();
    assert_refused(&warehouse, &build).await;
    let validate = run.begin(STAGE_VALIDATE).await;
    warehouse.publish_fact(&validate, window(), &[], at(1)).await.unwrap();
    assert_refused(&warehouse, &validate).await;
    run.finish().await.unwrap();
    assert_refused(&warehouse, &validate).await;
}

/// A holder that lost its lease writes nothing, neither before nor after the next one
/// has begun the stage again.
pub async fn a_holder_that_lost_its_lease_changes_nothing(warehouse: EngineUnderTest) {
    let (run, lost) = run_about_to_publish(&warehouse).await;
    warehouse.renew_lease(run.run.run_id, run.run.lease_epoch, Duration::ZERO).await.unwrap();
    let next = warehouse.acquire_run(DAILY_PIPELINE, "next", TTL, at(3)).await.unwrap().unwrap().run;
    assert_refused(&warehouse, &lost).await;
    assert_refused(&warehouse, &Fence { epoch: next.lease_epoch, ..lost.clone() }).await;
    let fence = warehouse.begin_stage(next.run_id, next.lease_epoch, STAGE_VALIDATE, at(3)).await.unwrap();
    assert_eq!(fence, Fence { epoch: lost.epoch + 1, attempt: 2, ..lost.clone() });
    assert_refused(&warehouse, &lost).await;
    warehouse.publish_fact(&fence, window(), &[], at(3)).await.unwrap();
}

/// A run's fences are refused from its cancellation on, even when it is queued and
/// taken up again.
pub async fn a_cancelled_run_accepts_nothing_more(warehouse: EngineUnderTest) {
    let (run, fence) = run_about_to_publish(&warehouse).await;
    run.cancel().await;
    assert_refused(&warehouse, &fence).await;
    warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_refused(&warehouse, &fence).await;
    let again = take_up(&warehouse, at(4)).await;
    assert_eq!(again.run.run_id, run.run.run_id);
    assert_refused(&warehouse, &fence).await;
    assert_eq!(again.publish().await.counters.rows_written, 4);
}

/// No stage begins in a run that no one holds, or that someone else holds.
pub async fn a_stage_begins_only_under_the_lease(warehouse: EngineUnderTest) {
    let begin = |run_id, epoch| warehouse.begin_stage(run_id, epoch, STAGE_COPY_CRM_CSV, at(1));
    let queued = warehouse.create_run(new_run(WindowChoice::Days(window()))).await.unwrap().run;
    for epoch in [0, 1] {
        assert!(matches!(begin(queued.run_id, epoch).await, Err(Error::Fenced { .. })));
    }
    let held = take_up(&warehouse, at(1)).await.run;
    for epoch in [held.lease_epoch - 1, held.lease_epoch + 1] {
        assert!(matches!(begin(held.run_id, epoch).await, Err(Error::Fenced { .. })));
    }
    assert!(matches!(begin(Uuid::now_v7(), 1).await, Err(Error::Fenced { .. })));
    warehouse.cancel_run(held.run_id, at(2)).await.unwrap();
    assert!(matches!(begin(held.run_id, held.lease_epoch).await, Err(Error::Fenced { .. })));
    let run = warehouse.run(held.run_id).await.unwrap().unwrap();
    assert_eq!(stage_states(&run), [StageState::Cancelled; 4]);
}
