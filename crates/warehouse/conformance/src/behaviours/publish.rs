//! Write, audit, publish: readers see the old data or the new, never a mixture.

use std::sync::Arc;

use domain::{
    Counters, DateWindow, FactRow, StageState,
    run::{DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_VALIDATE},
};
use warehouse_core::{Error, Fence, Freshness, PublishOutcome};

use crate::{
    engine::EngineUnderTest,
    observed::{interrupted_after, observe},
    scene::{
        HOLDER, HeldRun, TTL, all_days, at, company, day, days, export, hold_run, hold_run_of, publish_run,
        published, stage_states, take_up,
    },
};

/// A week in which every row changes with the first day's users.
fn week() -> DateWindow {
    days(0, 6)
}

async fn publish_week(warehouse: &EngineUnderTest) {
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    let usage = [(day(0), vec![("acme", 1, 1), ("bolt", 1, 1)])];
    let usage = all_days(week(), &usage);
    publish_run(warehouse, week(), at(1), &[(export(day(0), "1"), companies)], &usage).await;
}

/// A run that has ingested a change to every published row.
async fn changing_run(warehouse: &EngineUnderTest) -> HeldRun {
    publish_week(warehouse).await;
    let run = hold_run(warehouse, week(), at(2)).await;
    run.ingest(&[], &[(day(0), vec![("acme", 2, 1), ("bolt", 2, 1)])]).await;
    run
}

fn rolling_users(rows: &[FactRow]) -> Vec<i64> {
    rows.iter().map(|row| row.active_users_7d).collect()
}

async fn assert_stale(warehouse: &EngineUnderTest, fence: &Fence) {
    let before = observe(warehouse).await;
    let measured = warehouse.measure_candidates(fence, week()).await;
    assert!(matches!(measured, Err(Error::Precondition(_))), "{measured:?}");
    let published = warehouse.publish_fact(fence, week(), &[], at(9)).await;
    assert!(matches!(published, Err(Error::Precondition(_))), "{published:?}");
    assert_eq!(observe(warehouse).await, before);
}

/// Readers see nothing of a build, and all of it with the publish.
pub async fn candidates_are_invisible_until_published(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, week(), at(1)).await;
    run.ingest(&[(export(day(0), "1"), vec![company("acme", "Acme")])], &[]).await;
    let built = run.build().await;
    assert_eq!(built, Counters { rows_read: 7, rows_written: 7, ..Counters::default() });
    assert_eq!(published(&warehouse, week()).await, []);
    assert_eq!(warehouse.freshness().await.unwrap(), None);

    let fence = run.begin(STAGE_VALIDATE).await;
    let remarks = ["volume: low".to_owned()];
    let outcome = warehouse.publish_fact(&fence, week(), &remarks, at(2)).await.unwrap();
    assert_eq!(outcome, PublishOutcome { counters: built, new_days: 7 });
    let rows = published(&warehouse, week()).await;
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row.loaded_at == at(2)));
    let stage = run.reload().await.stages.swap_remove(3);
    assert_eq!((stage.state, stage.counters, stage.remarks), (StageState::Succeeded, built, remarks.into()));
    let Some(Freshness { newest, .. }) = warehouse.freshness().await.unwrap() else { panic!("no freshness") };
    assert_eq!((newest.run_id, newest.published_at), (run.run.run_id.to_string(), at(2)));
}

/// Candidates of another run, or from before a load or a publish, are refused; a retry
/// builds them again.
pub async fn candidates_built_from_an_older_state_are_not_published(warehouse: EngineUnderTest) {
    use StageState::{Pending, Succeeded};
    let run = changing_run(&warehouse).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let other = hold_run_of(&warehouse, "pl_other", days(7, 7), at(3)).await;
    other.ingest(&[], &[(day(1), vec![("zed", 1, 1)])]).await;
    assert_stale(&warehouse, &fence).await;
    other.build().await;
    assert_stale(&warehouse, &fence).await;
    assert_eq!(other.publish().await.new_days, 1);
    assert_stale(&warehouse, &fence).await;

    run.fail(&fence, false).await;
    run.finish().await.unwrap();
    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(stage_states(&retried), [Succeeded, Succeeded, Pending, Pending]);
    let again = take_up(&warehouse, at(5)).await;
    // The other run has published what was dirty.
    assert_eq!(again.build().await, Counters::default());
    again.publish().await;
    assert_eq!(again.reload().await.state, domain::RunState::Succeeded);
}

/// A build by another run is enough to replace the candidates; the next publish is that
/// run's.
pub async fn candidates_belong_to_the_run_that_built_last(warehouse: EngineUnderTest) {
    let run = changing_run(&warehouse).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let other = hold_run_of(&warehouse, "pl_other", week(), at(3)).await;
    other.ingest(&[], &[]).await;
    other.build().await;
    assert_stale(&warehouse, &fence).await;
    assert_eq!(other.publish().await.counters.rows_written, 14);
    assert!(published(&warehouse, week()).await.iter().all(|row| row.loaded_at == at(3)));
}

/// A run that was cancelled after its publish has nothing left to build.
pub async fn a_published_run_is_not_built_again(warehouse: EngineUnderTest) {
    let run = changing_run(&warehouse).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    warehouse.publish_fact(&fence, week(), &[], at(2)).await.unwrap();
    run.cancel().await;
    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(stage_states(&retried), [StageState::Succeeded; 4]);
    let again = take_up(&warehouse, at(4)).await;
    assert_eq!(again.finish().await.unwrap(), domain::RunState::Succeeded);
}

/// Wherever the caller of a publish disconnects, readers see one state, and the next
/// call finds the warehouse free.
pub async fn an_interrupted_publish_is_whole_or_nothing(warehouse: EngineUnderTest) {
    let run = changing_run(&warehouse).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    for polls in 1.. {
        let publish = warehouse.publish_fact(&fence, week(), &[], at(2));
        let outcome = interrupted_after(polls, publish).await;
        run.settle(&fence).await;
        let rolling = rolling_users(&published(&warehouse, week()).await);
        let stage = run.reload().await.stages.swap_remove(3);
        if stage.state == StageState::Succeeded {
            assert_eq!(rolling, [2; 14], "after {polls} polls");
            assert!(polls > 1, "the publish was never interrupted");
            break;
        }
        assert!(outcome.is_none(), "after {polls} polls: {outcome:?}");
        assert_eq!(rolling, [1; 14], "after {polls} polls");
    }
    run.finish().await.unwrap();
    let again = publish_run(&warehouse, week(), at(3), &[], &[]).await;
    assert_eq!(again.counters, Counters::default());
}

/// Wherever a build stops, the next attempt completes it.
pub async fn an_interrupted_build_starts_over(warehouse: EngineUnderTest) {
    let mut run = changing_run(&warehouse).await;
    for polls in 1.. {
        let fence = run.begin(STAGE_BUILD_FACT).await;
        let build = warehouse.build_fact(&fence, week(), at(2), Arc::new(|_| ()));
        interrupted_after(polls, build).await;
        run.settle(&fence).await;
        assert_eq!(rolling_users(&published(&warehouse, week()).await), [1; 14]);
        if run.reload().await.stages.swap_remove(2).state == StageState::Succeeded {
            assert!(polls > 1, "the build was never interrupted");
            break;
        }
        run.run = warehouse.acquire_run(DAILY_PIPELINE, HOLDER, TTL, at(2)).await.unwrap().unwrap().run;
    }
    assert_eq!(run.publish().await.counters.rows_written, 14);
    assert_eq!(rolling_users(&published(&warehouse, week()).await), [2; 14]);
}
