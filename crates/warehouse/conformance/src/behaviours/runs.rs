//! Runs and stages as rows, and the lease that says who may advance them.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{
    Counters, RunState, RunTrigger, StageState,
    run::{DAILY_PIPELINE, STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
    trend::StageExecution,
};
use uuid::Uuid;
use warehouse_core::{Error, LeaseState, NewRun, Run, RunCursor, RunQuery, StageFailure, WindowChoice};

use crate::{
    engine::EngineUnderTest,
    observed::observe,
    scene::{
        HeldRun, TTL, all_days, at, day, days, failure, hold_run, hold_run_of, new_run, publish_run,
        stage_states, take_up,
    },
};

async fn queue(warehouse: &EngineUnderTest, offset: i64) -> Uuid {
    let new = new_run(WindowChoice::Days(days(offset, offset)));
    warehouse.create_run(new).await.unwrap().run.run_id
}

async fn acquire(warehouse: &EngineUnderTest, holder: &str, ttl: Duration) -> Option<Run> {
    warehouse.acquire_run(DAILY_PIPELINE, holder, ttl, at(1)).await.unwrap().map(|taken| taken.run)
}

/// The first caller gets the oldest waiting run; no one else gets any run of the
/// pipeline while its lease lives.
pub async fn a_run_is_taken_up_by_one_holder_at_a_time(warehouse: EngineUnderTest) {
    let (oldest, next) = (queue(&warehouse, 0).await, queue(&warehouse, 1).await);
    let (a, b) = futures::join!(acquire(&warehouse, "a", TTL), acquire(&warehouse, "b", TTL));
    assert!(a.is_some() != b.is_some(), "exactly one gets the run");
    let holder = if a.is_some() { "a" } else { "b" };
    let run = a.or(b).unwrap();
    assert_eq!((run.run_id, run.state, run.lease_epoch), (oldest, RunState::Running, 1));
    assert_eq!(run.started_at, Some(at(1)));
    assert_eq!(acquire(&warehouse, "c", TTL).await, None);

    let again = acquire(&warehouse, holder, TTL).await.unwrap();
    assert_eq!((again.run_id, again.lease_epoch), (oldest, 2));
    warehouse.cancel_run(oldest, at(2)).await.unwrap();
    assert_eq!(acquire(&warehouse, "c", TTL).await.unwrap().run_id, next);
    warehouse.cancel_run(next, at(2)).await.unwrap();
    assert_eq!(acquire(&warehouse, "c", TTL).await, None);
}

/// A pipeline's lease does not affect another pipeline.
pub async fn pipelines_do_not_wait_for_each_other(warehouse: EngineUnderTest) {
    let daily = hold_run(&warehouse, days(0, 0), at(1)).await;
    let other = hold_run_of(&warehouse, "pl_other", days(0, 0), at(1)).await;
    assert_ne!(daily.run.run_id, other.run.run_id);
    assert_eq!(warehouse.acquire_run("pl_unknown", "a", TTL, at(1)).await.unwrap(), None);
}

/// An abandoned run is taken up before any queued one. Its interrupted stage waits for
/// its next attempt, without a failure.
pub async fn an_expired_lease_passes_on_with_a_higher_epoch(warehouse: EngineUnderTest) {
    let oldest = queue(&warehouse, 0).await;
    queue(&warehouse, 1).await;
    acquire(&warehouse, "a", Duration::ZERO).await.unwrap();
    let fence = warehouse.begin_stage(oldest, 1, STAGE_COPY_CRM_CSV, at(1)).await.unwrap();

    let resumed = warehouse.acquire_run(DAILY_PIPELINE, "b", TTL, at(2)).await.unwrap().unwrap();
    assert!(resumed.is_resumed);
    assert_eq!(resumed.interrupted, [STAGE_COPY_CRM_CSV]);
    let taken = resumed.run;
    assert_eq!((taken.run_id, taken.lease_epoch, taken.started_at), (oldest, 2, Some(at(1))));
    assert_eq!(stage_states(&taken), [StageState::Pending; 4]);
    assert!(taken.stages.iter().all(|stage| stage.failures == 0 && stage.error_code.is_none()));
    assert_eq!(warehouse.renew_lease(oldest, 1, TTL).await.unwrap(), LeaseState::Lost);
    assert!(matches!(warehouse.check_fence(&fence).await, Err(Error::Fenced { .. })));
    let next = warehouse.begin_stage(oldest, 2, STAGE_COPY_CRM_CSV, at(3)).await.unwrap();
    assert_eq!((next.attempt, next.epoch), (2, 2));
}

/// Renewals keep others away as long as the run lasts.
pub async fn a_lease_is_held_until_the_run_ends(warehouse: EngineUnderTest) {
    let run_id = queue(&warehouse, 0).await;
    assert_eq!(warehouse.renew_lease(run_id, 0, TTL).await.unwrap(), LeaseState::Lost);
    let epoch = acquire(&warehouse, "a", Duration::ZERO).await.unwrap().lease_epoch;
    assert_eq!(warehouse.renew_lease(run_id, epoch, TTL).await.unwrap(), LeaseState::Held);
    assert_eq!(acquire(&warehouse, "b", TTL).await, None);
    assert_eq!(warehouse.renew_lease(run_id, epoch + 1, TTL).await.unwrap(), LeaseState::Lost);

    warehouse.cancel_run(run_id, at(2)).await.unwrap();
    let ended = warehouse.renew_lease(run_id, epoch, TTL).await.unwrap();
    assert_eq!(ended, LeaseState::Ended(RunState::Cancelled));
    let unknown = warehouse.renew_lease(Uuid::now_v7(), 1, TTL).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
}

/// A stage begins once, when all its dependencies have succeeded.
pub async fn a_stage_waits_for_what_it_depends_on(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let refused = async |stage: &str| {
        let before = observe(&warehouse).await;
        let begun = warehouse.begin_stage(run.run.run_id, run.run.lease_epoch, stage, at(2)).await;
        assert!(matches!(begun, Err(Error::Fenced { .. })), "{stage}: {begun:?}");
        assert_eq!(observe(&warehouse).await, before, "{stage}");
    };
    for stage in [STAGE_BUILD_FACT, STAGE_VALIDATE, "act_unknown"] {
        refused(stage).await;
    }
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    assert_eq!((crm.run_id, crm.attempt, crm.epoch), (run.run.run_id, 1, run.run.lease_epoch));
    refused(STAGE_COPY_CRM_CSV).await;
    run.complete(&crm).await;
    refused(STAGE_COPY_CRM_CSV).await;
    refused(STAGE_BUILD_FACT).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    refused(STAGE_BUILD_FACT).await;
    run.fail(&api, true).await;
    refused(STAGE_BUILD_FACT).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    refused(STAGE_VALIDATE).await;
    run.build().await;
    run.begin(STAGE_VALIDATE).await;
}

/// Unbalanced rows are not committed; balanced ones are, with remarks.
pub async fn a_stage_that_lost_rows_is_not_committed(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let before = observe(&warehouse).await;
    let lossy = Counters { rows_read: 10, rows_written: 9, ..Counters::default() };
    let refused = warehouse.complete_stage(&fence, lossy, &[], at(2)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert_eq!(observe(&warehouse).await, before);

    let counters = Counters {
        rows_read: 10,
        rows_written: 4,
        rows_unchanged: 3,
        rows_duplicate: 2,
        rows_rejected: 1,
        rows_removed: 99,
        bytes_read: 7,
    };
    let remarks = ["a \"remark\"".to_owned(), "another".to_owned()];
    warehouse.complete_stage(&fence, counters, &remarks, at(2)).await.unwrap();
    let stage = run.reload().await.stages.swap_remove(0);
    assert_eq!((stage.state, stage.counters), (StageState::Succeeded, counters));
    assert_eq!((stage.started_at, stage.ended_at), (Some(at(1)), Some(at(2))));
    assert_eq!(stage.remarks, remarks);
}

/// A retryable failure leaves its stage waiting; a permanent one ends the run when
/// nothing is running any more, and skips what waited.
pub async fn a_failed_stage_fails_the_run_and_skips_the_rest(warehouse: EngineUnderTest) {
    use StageState::{Failed, Skipped, Succeeded};
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    run.fail(&crm, true).await;
    assert!(matches!(run.finish().await, Err(Error::Precondition(_))), "a stage waits for its next attempt");
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.fail(&crm, false).await;
    assert!(matches!(run.finish().await, Err(Error::Precondition(_))), "a stage is under way");
    run.complete(&api).await;
    let stale = warehouse.finish_run(run.run.run_id, run.run.lease_epoch - 1, at(2)).await;
    assert!(matches!(stale, Err(Error::Precondition(_))), "{stale:?}");

    assert_eq!(run.finish().await.unwrap(), RunState::Failed);
    let ended = run.reload().await;
    assert_eq!((ended.state, ended.ended_at), (RunState::Failed, Some(at(1))));
    assert_eq!(stage_states(&ended), [Failed, Succeeded, Skipped, Skipped]);
    let failed = ended.stages.first().unwrap();
    assert_eq!((failed.attempt, failed.failures), (2, 2));
    assert_eq!(failed.error_code.as_deref(), Some("UNAVAILABLE"));
    assert_eq!(failed.error_message.as_deref(), Some("the source is gone"));
}

/// When all stages have succeeded, so has the run, and it cannot end in any other way.
pub async fn a_run_succeeds_with_its_last_stage(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(1), &[], &[]).await;
    let run = warehouse.runs(&RunQuery::default(), 1).await.unwrap().swap_remove(0);
    assert_eq!((run.state, run.ended_at), (RunState::Succeeded, Some(at(1))));
    assert_eq!(stage_states(&run), [StageState::Succeeded; 4]);
    let before = observe(&warehouse).await;
    for refused in [
        warehouse.cancel_run(run.run_id, at(2)).await.map(drop),
        warehouse.retry_run(run.run_id, None).await.map(drop),
        warehouse.finish_run(run.run_id, run.lease_epoch, at(2)).await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Precondition(_))), "{refused:?}");
    }
    assert_eq!(observe(&warehouse).await, before);
}

/// A cancelled run ends at once, and only once, with its unfinished stages.
pub async fn a_run_is_cancelled_with_its_unfinished_stages(warehouse: EngineUnderTest) {
    use StageState::{Cancelled, Succeeded};
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    run.complete(&crm).await;
    run.begin(STAGE_CALL_PRODUCT_API).await;
    let cancelled = warehouse.cancel_run(run.run.run_id, at(2)).await.unwrap();
    assert_eq!((cancelled.state, cancelled.ended_at), (RunState::Cancelled, Some(at(2))));
    assert_eq!(stage_states(&cancelled), [Succeeded, Cancelled, Cancelled, Cancelled]);
    assert_eq!(warehouse.cancel_run(run.run.run_id, at(3)).await.unwrap(), cancelled);
    assert_eq!(run.reload().await, cancelled);

    let queued = queue(&warehouse, 1).await;
    let cancelled = warehouse.cancel_run(queued, at(3)).await.unwrap();
    assert_eq!((cancelled.state, cancelled.started_at), (RunState::Cancelled, None));
    let failed = hold_run(&warehouse, days(2, 2), at(4)).await;
    failed.fail_at(STAGE_COPY_CRM_CSV).await;
    let refused = warehouse.cancel_run(failed.run.run_id, at(5)).await;
    assert!(matches!(refused, Err(Error::Precondition(_))), "{refused:?}");
    let unknown = warehouse.cancel_run(Uuid::now_v7(), at(5)).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
}

/// A retried run continues at its first unfinished stage, after all waiting runs.
pub async fn a_retried_run_keeps_what_succeeded(warehouse: EngineUnderTest) {
    use StageState::{Pending, Succeeded};
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let active = warehouse.retry_run(run.run.run_id, None).await;
    assert!(matches!(active, Err(Error::Precondition(_))), "{active:?}");
    run.ingest(&[], &all_days(days(0, 0), &[(day(0), vec![("acme", 1, 1)])])).await;
    run.build().await;
    run.fail_at(STAGE_VALIDATE).await;
    let failed = run.reload().await;

    let retried = warehouse.retry_run(run.run.run_id, None).await.unwrap();
    assert_eq!((retried.state, retried.ended_at), (RunState::Queued, None));
    assert_eq!(stage_states(&retried), [Succeeded, Succeeded, Succeeded, Pending]);
    assert_eq!(retried.stages.get(..3), failed.stages.get(..3));
    assert_eq!(retried.stages.get(3).unwrap().attempt, 1);
    let queued = warehouse.retry_run(run.run.run_id, None).await;
    assert!(matches!(queued, Err(Error::Precondition(_))), "{queued:?}");

    let again = take_up(&warehouse, at(3)).await;
    assert_eq!((again.run.run_id, again.run.lease_epoch), (run.run.run_id, run.run.lease_epoch + 1));
    assert_eq!(again.publish().await.counters.rows_written, 1);
    assert_eq!(again.reload().await.stages.get(3).unwrap().attempt, 2);
    let unknown = warehouse.retry_run(Uuid::now_v7(), None).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
}

/// One run per window at a time, however it was queued.
pub async fn a_run_is_not_retried_beside_an_active_one(warehouse: EngineUnderTest) {
    let first = hold_run(&warehouse, days(0, 0), at(1)).await;
    first.cancel().await;
    let second = hold_run(&warehouse, days(0, 0), at(2)).await;
    let retried = warehouse.retry_run(first.run.run_id, None).await;
    assert!(matches!(retried, Err(Error::Precondition(_))), "{retried:?}");
    second.cancel().await;
    let retried = warehouse.retry_run(first.run.run_id, None).await.unwrap();
    assert_eq!(retried.state, RunState::Queued);
}

/// The newest first, page by page, of all states or some.
pub async fn runs_are_listed_newest_first_in_pages(warehouse: EngineUnderTest) {
    let mut ids = vec![];
    for offset in 0..5 {
        ids.insert(0, queue(&warehouse, offset).await);
    }
    warehouse.cancel_run(*ids.get(3).unwrap(), at(1)).await.unwrap();
    let list = async |states: &[RunState], limit| {
        let (mut listed, mut after) = (vec![], None);
        loop {
            let query = RunQuery { states: states.to_vec(), after, ..RunQuery::default() };
            let page = warehouse.runs(&query, limit).await.unwrap();
            let Some(last) = page.last() else { return listed };
            assert!(page.len() <= usize::try_from(limit).unwrap());
            after = Some(RunCursor(last.run_id));
            listed.extend(page.iter().map(|run| run.run_id));
        }
    };
    for limit in [1, 2, 5, 6] {
        assert_eq!(list(&[], limit).await, ids);
    }
    let queued = ids.iter().copied().filter(|id| Some(id) != ids.get(3)).collect::<Vec<_>>();
    assert_eq!(list(&[RunState::Queued], 3).await, queued);
    assert_eq!(list(&[RunState::Queued, RunState::Cancelled], 2).await, ids);
    assert!(list(&[RunState::Failed], 2).await.is_empty());
    assert_eq!(warehouse.run(Uuid::now_v7()).await.unwrap(), None);
}

/// A list holds the runs of the asked causes that cover at least one of the asked days.
pub async fn runs_are_listed_by_cause_and_day(warehouse: EngineUnderTest) {
    let create = async |trigger, window| {
        let new = NewRun { trigger, ..new_run(WindowChoice::Days(window)) };
        warehouse.create_run(new).await.unwrap().run.run_id
    };
    let week = create(RunTrigger::Backfill, days(0, 6)).await;
    let day_3 = create(RunTrigger::Manual, days(3, 3)).await;
    let day_7 = create(RunTrigger::Scheduled, days(7, 7)).await;
    let list = async |triggers: &[RunTrigger], days| {
        let query = RunQuery { triggers: triggers.to_vec(), days, ..RunQuery::default() };
        let listed = warehouse.runs(&query, 10).await.unwrap();
        listed.into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    };
    assert_eq!(list(&[RunTrigger::Backfill], None).await, [week]);
    assert_eq!(list(&[RunTrigger::Backfill, RunTrigger::Scheduled], None).await, [day_7, week]);
    assert!(list(&[RunTrigger::Unpublish], None).await.is_empty());
    for (window, expected) in [
        (days(3, 3), vec![day_3, week]),
        (days(6, 7), vec![day_7, week]),
        (days(7, 9), vec![day_7]),
        (days(-5, 0), vec![week]),
        (days(8, 9), vec![]),
    ] {
        assert_eq!(list(&[], Some(window)).await, expected, "{window}");
    }
    assert_eq!(list(&[RunTrigger::Manual], Some(days(0, 9))).await, [day_3]);
    let query = RunQuery { days: Some(days(3, 3)), after: Some(RunCursor(day_3)), ..RunQuery::default() };
    let after: Vec<Uuid> = warehouse.runs(&query, 10).await.unwrap().iter().map(|run| run.run_id).collect();
    assert_eq!(after, [week]);
}

/// Those that have ended, and those of other pipelines, are left out.
pub async fn active_runs_are_named_in_the_order_in_which_they_execute(warehouse: EngineUnderTest) {
    hold_run(&warehouse, days(0, 0), at(0)).await.cancel().await;
    let other = NewRun { pipeline: "other".to_owned(), ..new_run(WindowChoice::Days(days(0, 0))) };
    warehouse.create_run(other).await.unwrap();
    let first = queue(&warehouse, 1).await;
    let second = queue(&warehouse, 2).await;
    let active = async |limit| warehouse.active_runs(DAILY_PIPELINE, limit).await.unwrap();
    assert_eq!(active(10).await, [first, second]);
    warehouse.cancel_run(first, at(1)).await.unwrap();
    let running = acquire(&warehouse, "a", TTL).await.unwrap().run_id;
    warehouse.retry_run(first, None).await.unwrap();
    assert_eq!((running, active(10).await), (second, vec![second, first]));
    assert_eq!(active(1).await, [second]);
}

/// A stage's earlier executions come from runs of the same pipeline over as many days,
/// where the stage succeeded, the newest first.
pub async fn a_stage_is_compared_with_its_executions_in_runs_like_this_one(warehouse: EngineUnderTest) {
    let execute = async |run: HeldRun, hours, rows_read| {
        let fence = run.begin(STAGE_COPY_CRM_CSV).await;
        let counters = Counters { rows_read, rows_written: rows_read, ..Counters::default() };
        let ended_at = run.now + TimeDelta::hours(hours);
        warehouse.complete_stage(&fence, counters, &[], ended_at).await.unwrap();
        run.cancel().await;
    };
    execute(hold_run(&warehouse, days(0, 0), at(0)).await, 1, 10).await;
    execute(hold_run(&warehouse, days(0, 1), at(10)).await, 2, 20).await;
    execute(hold_run_of(&warehouse, "pl_other", days(2, 2), at(20)).await, 3, 30).await;
    hold_run(&warehouse, days(3, 3), at(30)).await.fail_at(STAGE_COPY_CRM_CSV).await;
    execute(hold_run(&warehouse, days(4, 4), at(40)).await, 5, 50).await;
    let run = hold_run(&warehouse, days(5, 5), at(50)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    run.complete(&fence).await;
    let this = run.reload().await;
    run.cancel().await;
    execute(hold_run(&warehouse, days(6, 6), at(60)).await, 7, 70).await;

    let recent = async |stage, limit| warehouse.recent_executions(&this, stage, limit).await.unwrap();
    let took = |offset, hours: u64, rows| StageExecution {
        day: day(offset),
        took: Duration::from_secs(hours * 3_600),
        rows,
    };
    assert_eq!(recent(STAGE_COPY_CRM_CSV, 10).await, [took(4, 5, 50), took(0, 1, 10)]);
    assert_eq!(recent(STAGE_COPY_CRM_CSV, 1).await, [took(4, 5, 50)]);
    assert_eq!(recent(STAGE_BUILD_FACT, 10).await, []);
}

/// The next holder gets a released lease at once; releasing does not affect one that
/// someone else now holds.
pub async fn a_lease_that_is_given_back_is_taken_up_at_once(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let acquire = async |holder| warehouse.acquire_run(DAILY_PIPELINE, holder, TTL, at(1)).await.unwrap();
    assert!(acquire("other").await.is_none());
    warehouse.release_lease(run.run.run_id, run.run.lease_epoch).await.unwrap();
    let taken = acquire("other").await.unwrap();
    assert!(taken.is_resumed);
    assert_eq!(taken.interrupted, [STAGE_COPY_CRM_CSV]);
    assert!(warehouse.check_fence(&fence).await.is_err());

    warehouse.release_lease(run.run.run_id, run.run.lease_epoch).await.unwrap();
    assert!(acquire("third").await.is_none(), "the lease of an older epoch is nobody's to give");
}

/// An interrupted attempt says nothing about the stage.
pub async fn an_attempt_that_was_cut_off_is_no_failure(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let cut_off = StageFailure { is_interruption: true, ..failure(true) };
    warehouse.fail_stage(&fence, &cut_off, None, at(1)).await.unwrap();
    let stage = run.reload().await.stages.swap_remove(0);
    assert_eq!((stage.state, stage.attempt, stage.failures), (StageState::Pending, 1, 0));
    assert_eq!(run.begin(STAGE_COPY_CRM_CSV).await.attempt, 2);
}
