//! Takes published days back.

use chrono::{DateTime, Utc};
use domain::{DateWindow, RunState, RunTrigger, run::STAGE_UNPUBLISH};
use uuid::Uuid;
use warehouse_core::{Error, NewRun, NewStage, UnpublishedDays, WindowChoice};

use crate::engine::EngineUnderTest;
use crate::scene::{
    at, company, day, days, export, hold_new_run, hold_run, id, new_run, publish_run, take_up,
};

pub(crate) fn unpublish_run(window: DateWindow) -> NewRun {
    let stage =
        NewStage { stage: STAGE_UNPUBLISH.to_owned(), service: "transform".to_owned(), depends_on: vec![] };
    NewRun { trigger: RunTrigger::Unpublish, stages: vec![stage], ..new_run(WindowChoice::Days(window)) }
}

/// Takes the days of `window` back in its own run at `now`; returns its id.
pub async fn take_back(warehouse: &EngineUnderTest, window: DateWindow, now: DateTime<Utc>) -> Uuid {
    let run = hold_new_run(warehouse, unpublish_run(window), now).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    warehouse.unpublish_days(&fence, window, now).await.unwrap();
    assert_eq!(run.finish().await.unwrap(), RunState::Succeeded);
    run.run.run_id
}

/// Takes the days of `window` back in its own run.
async fn unpublish(warehouse: &EngineUnderTest, window: DateWindow) -> UnpublishedDays {
    let run = hold_new_run(warehouse, unpublish_run(window), at(2)).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    let unpublished = warehouse.unpublish_days(&fence, window, at(2)).await.unwrap();
    let state = warehouse.finish_run(run.run.run_id, run.run.lease_epoch, at(2)).await.unwrap();
    assert_eq!(state, RunState::Succeeded);
    let reported = run.reload().await.stages.swap_remove(0);
    assert_eq!(reported.counters.rows_removed, unpublished.rows);
    unpublished
}

/// Days taken back disappear for readers; a run that requests them publishes them
/// again, unchanged.
pub async fn days_that_were_taken_back_are_published_again(warehouse: EngineUnderTest) {
    let window = days(0, 3);
    let companies = [company("acme", "Acme"), company("beta", "Beta")];
    publish_run(&warehouse, window, at(1), &[(export(day(0), "e1"), companies.to_vec())], &[]).await;
    let before = warehouse.published_days(window).await.unwrap();
    assert_eq!(unpublish(&warehouse, days(1, 2)).await, UnpublishedDays { days: 2, rows: 4 });
    let left: Vec<_> =
        warehouse.published_days(window).await.unwrap().iter().map(|entry| entry.activity_date).collect();
    assert_eq!(left, [day(0), day(3)]);

    let again = warehouse.create_run(new_run(WindowChoice::Days(window))).await.unwrap();
    assert!(again.created, "the run that once succeeded over them is no reason to be content");
    let run = take_up(&warehouse, at(3)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    let after = warehouse.published_days(window).await.unwrap();
    let rows = |entries: &[domain::Publication]| -> Vec<_> {
        entries.iter().map(|entry| (entry.activity_date, entry.row_count)).collect()
    };
    assert_eq!(rows(&after), rows(&before));
}

/// Even when nothing at all is published any more.
pub async fn the_only_day_that_was_taken_back_is_published_again(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[], &[]).await;
    unpublish(&warehouse, days(-5, 5)).await;
    assert!(warehouse.freshness().await.unwrap().is_none());
    let again = warehouse.create_run(new_run(WindowChoice::Days(days(0, 0)))).await.unwrap();
    assert!(again.created);
}

/// A caller that does not hold the run takes nothing back.
pub async fn a_stale_fence_takes_no_day_back(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 1), at(1), &[], &[]).await;
    let run = hold_new_run(&warehouse, unpublish_run(days(0, 1)), at(2)).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    warehouse.cancel_run(run.run.run_id, at(2)).await.unwrap();
    let refused = warehouse.unpublish_days(&fence, days(0, 1), at(2)).await.unwrap_err();
    assert!(matches!(refused, Error::Fenced { .. }), "{refused}");
    assert_eq!(warehouse.published_days(days(0, 1)).await.unwrap().len(), 2);
}

/// A run that takes days back does not stand in for one that publishes them, nor the
/// other way round.
pub async fn taking_back_and_publishing_wait_for_each_other(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[], &[]).await;
    let back = warehouse.create_run(unpublish_run(days(0, 0))).await.unwrap();
    assert!(back.created);
    let twice = warehouse.create_run(unpublish_run(days(0, 0))).await.unwrap();
    assert_eq!((twice.created, twice.run.run_id), (false, back.run.run_id));
    let forced = NewRun { force: true, ..new_run(WindowChoice::Days(days(0, 0))) };
    assert!(warehouse.create_run(forced).await.unwrap().created);
}

/// A correction affects the days on either side of those taken back.
pub async fn what_is_dirty_beside_days_that_were_taken_back_stays_dirty(warehouse: EngineUnderTest) {
    let acme = [company("acme", "Acme")];
    let exports = [(export(day(0), "e1"), acme.to_vec())];
    publish_run(&warehouse, days(0, 9), at(1), &exports, &[]).await;
    // The usage of day 2 changes what is published from then on.
    let run = hold_run(&warehouse, days(0, 9), at(2)).await;
    run.ingest(&[], &[(day(2), vec![("acme", 7, 70)])]).await;
    warehouse.cancel_run(run.run.run_id, at(2)).await.unwrap();
    unpublish(&warehouse, days(0, 4)).await;
    let run = hold_run(&warehouse, days(9, 9), at(3)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    let key = domain::FactKey { company_id: id("acme"), activity_date: day(5) };
    let (row, _) = warehouse.fact_row(&key).await.unwrap().unwrap();
    assert_eq!(row.active_users_7d, 7);
}
