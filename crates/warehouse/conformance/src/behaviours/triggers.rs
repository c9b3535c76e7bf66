//! Which run a trigger gets: a new one, or one that makes it unnecessary.

use domain::{DateWindow, RunState, RunTrigger, StageState, run::STAGE_COPY_CRM_CSV};
use futures::future::join_all;
use warehouse_core::{CreatedRun, Error, Horizon, NewRun, Run, RunQuery, RunStage, WindowChoice};

use crate::engine::EngineUnderTest;
use crate::scene::{
    HeldRun, at, day, days, hold_new_run, hold_run, new_run, publish_run, stage_states, take_up, unpublished,
};

async fn trigger(warehouse: &EngineUnderTest, window: WindowChoice) -> CreatedRun {
    warehouse.create_run(new_run(window)).await.unwrap()
}

async fn force(warehouse: &EngineUnderTest, window: WindowChoice) -> CreatedRun {
    warehouse.create_run(NewRun { force: true, ..new_run(window) }).await.unwrap()
}

/// Publishes a window without any input.
async fn publish_nothing(warehouse: &EngineUnderTest, window: DateWindow) -> Run {
    let run = hold_run(warehouse, window, at(1)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    run.reload().await
}

async fn fail_run(warehouse: &EngineUnderTest, window: DateWindow) -> HeldRun {
    let run = hold_run(warehouse, window, at(1)).await;
    run.fail_at(STAGE_COPY_CRM_CSV).await;
    run
}

fn found(run: Run) -> CreatedRun {
    CreatedRun { run, created: false }
}

/// The stored run is as requested, with nothing done yet.
pub async fn a_new_run_is_queued_with_its_stages(warehouse: EngineUnderTest) {
    let new = new_run(WindowChoice::Days(days(0, 2)));
    let CreatedRun { run, created } = warehouse.create_run(new.clone()).await.unwrap();
    assert!(created);
    let stages = new.stages.into_iter().map(|stage| RunStage {
        stage: stage.stage,
        service: stage.service,
        depends_on: stage.depends_on,
        state: StageState::Pending,
        attempt: 0,
        failures: 0,
        started_at: None,
        ended_at: None,
        counters: domain::Counters::default(),
        remarks: vec![],
        error_code: None,
        error_message: None,
        earlier_attempts: Vec::new(),
    });
    let expected = Run {
        run_id: new.run_id,
        pipeline: new.pipeline,
        window: days(0, 2),
        trigger: new.trigger,
        accept_empty_days: new.accept_empty_days,
        rebuild_days: new.rebuild_days,
        requested_by: Some(new.requested_by),
        state: RunState::Queued,
        lease_epoch: 0,
        created_at: new.created_at,
        started_at: None,
        ended_at: None,
        traceparent: None,
        stages: stages.collect(),
    };
    assert_eq!(run, expected);
    assert_eq!(warehouse.run(new.run_id).await.unwrap(), Some(expected));
}

/// A queued, running or succeeded run over the window is found. Another window, or
/// another pipeline, gets another run.
pub async fn a_window_is_run_once_however_often_it_is_triggered(warehouse: EngineUnderTest) {
    let window = WindowChoice::Days(days(0, 2));
    let queued = trigger(&warehouse, window).await;
    assert!(queued.created);
    assert_eq!(trigger(&warehouse, window).await, found(queued.run.clone()));
    assert_eq!(force(&warehouse, window).await, found(queued.run.clone()));
    let run = take_up(&warehouse, at(1)).await;
    assert_eq!(trigger(&warehouse, window).await, found(run.run.clone()));
    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    assert_eq!(trigger(&warehouse, window).await, found(run.reload().await));

    assert!(trigger(&warehouse, WindowChoice::Days(days(0, 1))).await.created);
    let elsewhere = NewRun { pipeline: "pl_other".to_owned(), ..new_run(window) };
    assert!(warehouse.create_run(elsewhere).await.unwrap().created);
}

/// Kubernetes may start a job twice.
pub async fn triggers_at_the_same_time_create_one_run(warehouse: EngineUnderTest) {
    let window = unpublished(day(3));
    let triggered = join_all((0..8).map(|_| trigger(&warehouse, window))).await;
    let runs: Vec<Run> = triggered.iter().map(|created| created.run.clone()).collect();
    assert_eq!(triggered.iter().filter(|created| created.created).count(), 1);
    assert!(runs.iter().all(|run| Some(run) == runs.first()));
    assert_eq!(warehouse.runs(&RunQuery::default(), 10).await.unwrap().len(), 1);
}

/// Forcing gives a succeeded window another run, which is then the one found.
pub async fn a_forced_trigger_runs_a_succeeded_window_again(warehouse: EngineUnderTest) {
    let first = publish_nothing(&warehouse, days(0, 2)).await;
    let again = force(&warehouse, WindowChoice::Days(days(0, 2))).await;
    assert!(again.created);
    assert_ne!(again.run.run_id, first.run_id);
    assert_eq!(trigger(&warehouse, WindowChoice::Days(days(0, 2))).await, found(again.run));
}

/// A run that did not succeed makes none unnecessary.
pub async fn a_failed_or_cancelled_window_is_run_again(warehouse: EngineUnderTest) {
    let failed = fail_run(&warehouse, days(0, 2)).await;
    let second = trigger(&warehouse, WindowChoice::Days(days(0, 2))).await;
    assert!(second.created);
    assert_ne!(second.run.run_id, failed.run.run_id);
    take_up(&warehouse, at(2)).await.cancel().await;
    assert!(trigger(&warehouse, WindowChoice::Days(days(0, 2))).await.created);
}

/// A window has one active run even if an old one was queued again after a newer one
/// failed.
pub async fn an_active_run_is_found_behind_newer_failed_ones(warehouse: EngineUnderTest) {
    let old = fail_run(&warehouse, days(0, 2)).await;
    fail_run(&warehouse, days(0, 2)).await;
    let retried = warehouse.retry_run(old.run.run_id, None).await.unwrap();
    for window in [WindowChoice::Days(days(0, 2)), unpublished(day(2))] {
        assert_eq!(trigger(&warehouse, window).await, found(retried.clone()));
        assert_eq!(force(&warehouse, window).await, found(retried.clone()));
    }
}

/// A forced run that failed leaves the window as succeeded as it was.
pub async fn a_succeeded_run_is_found_behind_newer_failed_ones(warehouse: EngineUnderTest) {
    let succeeded = publish_nothing(&warehouse, days(0, 2)).await;
    fail_run(&warehouse, days(0, 2)).await;
    assert_eq!(trigger(&warehouse, WindowChoice::Days(days(0, 2))).await, found(succeeded));
}

/// Missed days heal by themselves, once, and published days stay as they are.
pub async fn the_schedule_covers_every_day_since_the_first_gap(warehouse: EngineUnderTest) {
    let through = |offset| unpublished(day(offset));
    let first = trigger(&warehouse, through(5)).await;
    assert!(first.created);
    assert_eq!(first.run.window, days(5, 5));
    take_up(&warehouse, at(1)).await.cancel().await;

    let published = publish_nothing(&warehouse, days(5, 6)).await;
    assert_eq!(trigger(&warehouse, through(6)).await, found(published.clone()));
    assert_eq!(trigger(&warehouse, through(5)).await, found(published));

    let next = trigger(&warehouse, through(9)).await;
    assert_eq!((next.created, next.run.window), (true, days(7, 9)));
    assert_eq!(trigger(&warehouse, through(9)).await, found(next.run));
    take_up(&warehouse, at(2)).await.cancel().await;

    publish_nothing(&warehouse, days(9, 9)).await;
    let healing = trigger(&warehouse, through(10)).await;
    assert_eq!((healing.created, healing.run.window), (true, days(7, 10)));
    take_up(&warehouse, at(3)).await.cancel().await;

    let filling = publish_nothing(&warehouse, days(7, 10)).await;
    assert_eq!(trigger(&warehouse, through(10)).await, found(filling));
}

/// A published last day does not hide a gap before it.
pub async fn the_schedule_heals_a_gap_before_its_last_day(warehouse: EngineUnderTest) {
    publish_nothing(&warehouse, days(0, 1)).await;
    publish_nothing(&warehouse, days(4, 4)).await;
    let healing = trigger(&warehouse, unpublished(day(4))).await;
    assert_eq!((healing.created, healing.run.window), (true, days(2, 4)));
}

/// An active run that ends on the day will publish it, wherever it begins.
pub async fn the_schedule_waits_for_an_active_run_that_ends_on_its_day(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[], &[]).await;
    let backfill = trigger(&warehouse, WindowChoice::Days(days(-3, 4))).await.run;
    let through = unpublished(day(4));
    assert_eq!(trigger(&warehouse, through).await, found(backfill.clone()));
    assert_eq!(force(&warehouse, through).await, found(backfill));
    let later = trigger(&warehouse, unpublished(day(5))).await;
    assert_eq!((later.created, later.run.window), (true, days(1, 5)));
}

/// Forcing runs a published day again, alone.
pub async fn a_forced_schedule_runs_a_published_day_again(warehouse: EngineUnderTest) {
    let published = publish_nothing(&warehouse, days(0, 3)).await;
    let forced = force(&warehouse, unpublished(day(3))).await;
    assert_eq!((forced.created, forced.run.window), (true, days(3, 3)));
    assert_eq!(stage_states(&forced.run), [StageState::Pending; 4]);
    take_up(&warehouse, at(2)).await.cancel().await;
    let through = unpublished(day(3));
    assert_eq!(trigger(&warehouse, through).await, found(published));
}

/// A day published through a typo in its year does not count as a start.
pub async fn a_stray_day_does_not_widen_the_schedule(warehouse: EngineUnderTest) {
    publish_nothing(&warehouse, days(-7000, -7000)).await;
    let alone = trigger(&warehouse, unpublished(day(2))).await;
    assert_eq!(alone.run.window, days(2, 2));
    warehouse.cancel_run(alone.run.run_id, at(1)).await.unwrap();
    publish_nothing(&warehouse, days(0, 1)).await;
    assert_eq!(trigger(&warehouse, unpublished(day(3))).await.run.window, days(2, 3));
}

/// Gaps before a configured start of history stay; those of a successful backfill are
/// healed, however old it is.
pub async fn the_horizon_of_the_schedule_can_be_moved(warehouse: EngineUnderTest) {
    publish_nothing(&warehouse, days(-600, -600)).await;
    publish_nothing(&warehouse, days(0, 1)).await;
    let through = day(2);
    let since = |history_start| WindowChoice::Unpublished {
        through,
        horizon: Horizon { history_start, max_reach_days: 400 },
    };
    let cancelled = async |window| {
        let created = trigger(&warehouse, window).await;
        warehouse.cancel_run(created.run.run_id, at(1)).await.unwrap();
        created.run.window
    };
    assert_eq!(cancelled(since(None)).await, days(2, 2));
    assert_eq!(cancelled(since(Some(day(-600)))).await, days(-599, 2));
    let backfill = NewRun {
        trigger: RunTrigger::Backfill,
        force: true,
        ..new_run(WindowChoice::Days(days(-600, -600)))
    };
    let run = hold_new_run(&warehouse, backfill, at(1)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    run.publish().await;
    assert_eq!(cancelled(since(None)).await, days(-599, 2));
}

/// Accepted days are stored with the run, and mean that it runs again for them.
pub async fn accepted_days_are_kept_and_run_again(warehouse: EngineUnderTest) {
    publish_nothing(&warehouse, days(0, 1)).await;
    let accepting = |accepted: &[i64]| NewRun {
        accept_empty_days: accepted.iter().map(|offset| day(*offset)).collect(),
        ..new_run(WindowChoice::Days(days(0, 1)))
    };
    let outside = warehouse.create_run(accepting(&[2])).await.unwrap_err();
    assert!(
        matches!(&outside, Error::Precondition(reported) if reported.contains("--accept-empty")),
        "{outside}"
    );
    let created = warehouse.create_run(accepting(&[1])).await.unwrap();
    assert!(created.created);
    assert_eq!(created.run.accept_empty_days, [day(1)].into());
    assert_eq!(warehouse.create_run(accepting(&[1])).await.unwrap(), found(created.run.clone()));
    let other = warehouse.create_run(accepting(&[0])).await.unwrap_err();
    assert!(
        matches!(&other, Error::Precondition(reported) if reported.contains("activityctl cancel")),
        "{other}"
    );

    let run = take_up(&warehouse, at(1)).await;
    assert_eq!(run.run.accept_empty_days, [day(1)].into());
    run.fail_at(STAGE_COPY_CRM_CSV).await;
    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!(retried.accept_empty_days, [day(1)].into());
}
