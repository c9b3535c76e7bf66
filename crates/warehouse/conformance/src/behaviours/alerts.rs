//! Alerts: written with the failure, delivered at least once.

use std::time::Duration;

use domain::{
    AlertCause, RunState, StageState,
    run::{STAGE_COPY_CRM_CSV, STAGE_UNPUBLISH},
};
use uuid::Uuid;
use warehouse_core::{AlertCursor, AlertQuery, NewAlert, PendingAlert, RecordedAlert};

use super::unpublish::{take_back, unpublish_run};
use crate::engine::EngineUnderTest;
use crate::scene::{
    HeldRun, TTL, alert, at, day, days, failure, hold_new_run, hold_run, publish_run, take_up,
};

/// Fails the CRM stage of `run` once, with a retry to follow and an alert of that time.
async fn fail_with_alert(
    warehouse: &EngineUnderTest,
    run: &HeldRun,
    key: &str,
    failed_at_hour: i64,
) -> NewAlert {
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    let alert = alert(key, &fence, at(failed_at_hour));
    warehouse.fail_stage(&fence, &failure(true), Some(&alert), alert.failed_at).await.unwrap();
    alert
}

async fn claimed_keys(warehouse: &EngineUnderTest, limit: u32, claim: Duration) -> Vec<String> {
    let claimed = warehouse.claim_due_alerts(limit, claim).await.unwrap();
    claimed.into_iter().map(|pending| pending.alert.alert_key).collect()
}

/// The failure and its alert appear together; of two concurrent claims one gets it.
pub async fn an_alert_is_written_with_its_failure_and_claimed_once(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    assert_eq!(warehouse.claim_due_alerts(10, TTL).await.unwrap(), []);
    let alert = fail_with_alert(&warehouse, &run, "key", 1).await;
    let failed = run.reload().await.stages.swap_remove(0);
    assert_eq!((failed.state, failed.failures), (StageState::Pending, 1));

    let (one, other) =
        futures::join!(warehouse.claim_due_alerts(10, TTL), warehouse.claim_due_alerts(10, TTL));
    let claimed = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(claimed, [PendingAlert { alert, tries: 0 }]);
    assert_eq!(warehouse.claim_due_alerts(10, TTL).await.unwrap(), []);
}

/// Alerts are listed newest first with what became of them; one is open until somebody publishes
/// its day.
pub async fn alerts_are_listed_with_what_became_of_them(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let first = fail_with_alert(&warehouse, &run, "b", 1).await;
    let other_day =
        NewAlert { alert_key: "a".to_owned(), run_id: Uuid::nil(), business_date: day(1), ..first.clone() };
    warehouse.write_alert(&other_day).await.unwrap();
    let newest = fail_with_alert(&warehouse, &run, "c", 2).await;
    let list = async |query: AlertQuery, limit| {
        let alerts = warehouse.alerts(&query, limit).await.unwrap();
        alerts.into_iter().map(|found| (found.alert.alert_key, found.is_open)).collect::<Vec<_>>()
    };
    let key = |key: &str, is_open| (key.to_owned(), is_open);
    let all = AlertQuery::default;
    assert_eq!(list(all(), 10).await, [key("c", true), key("b", true), key("a", true)]);
    assert_eq!(list(all(), 2).await, [key("c", true), key("b", true)]);
    let after = Some(AlertCursor { failed_at: first.failed_at, alert_key: "b".to_owned() });
    assert_eq!(list(AlertQuery { after, ..all() }, 2).await, [key("a", true)]);
    let of_run = AlertQuery { run_id: Some(run.run.run_id), ..all() };
    assert_eq!(list(of_run, 10).await, [key("c", true), key("b", true)]);

    warehouse.claim_due_alerts(1, TTL).await.unwrap();
    warehouse.settle_alert("c", at(3)).await.unwrap();
    warehouse.defer_alert("b", TTL, "the channel is away").await.unwrap();
    let found = warehouse.alerts(&all(), 2).await.unwrap();
    let alert = |alert, settled_at, tries, problem: Option<&str>| RecordedAlert {
        alert,
        is_open: true,
        settled_at,
        tries,
        problem: problem.map(str::to_owned),
    };
    let tries = found.iter().map(|found| found.tries).collect::<Vec<_>>();
    assert_eq!(found[0], alert(newest, Some(at(3)), tries[0], None));
    assert_eq!(found[1], alert(first, None, tries[1], Some("the channel is away")));

    // Published by the same run, of days that other runs publish nothing is known yet.
    run.cancel().await;
    publish_run(&warehouse, days(0, 0), at(4), &[], &[]).await;
    assert_eq!(list(all(), 10).await, [key("c", false), key("b", false), key("a", true)]);
    assert_eq!(list(AlertQuery { only_open: true, ..all() }, 10).await, [key("a", true)]);
}

/// A run that succeeds without a change has published its day as well.
pub async fn an_alert_is_not_open_once_a_run_found_nothing_to_change(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(0), &[], &[]).await;
    let failing = hold_run(&warehouse, days(0, 0), at(1)).await;
    fail_with_alert(&warehouse, &failing, "key", 2).await;
    failing.cancel().await;
    assert_eq!(open(&warehouse).await, ["key"]);
    let ledger = warehouse.published_days(days(0, 0)).await.unwrap();
    publish_run(&warehouse, days(0, 0), at(3), &[], &[]).await;
    assert_eq!(warehouse.published_days(days(0, 0)).await.unwrap(), ledger);
    assert_eq!(open(&warehouse).await, Vec::<String>::new());
}

async fn open(warehouse: &EngineUnderTest) -> Vec<String> {
    let open = AlertQuery { only_open: true, ..AlertQuery::default() };
    let alerts = warehouse.alerts(&open, 10).await.unwrap();
    alerts.into_iter().map(|found| found.alert.alert_key).collect()
}

/// A run that takes days back leaves nothing published: that it succeeded has to be enough.
pub async fn an_alert_closes_when_its_own_run_succeeds_after_all(warehouse: EngineUnderTest) {
    publish_run(&warehouse, days(0, 0), at(0), &[], &[]).await;
    let run = hold_new_run(&warehouse, unpublish_run(days(0, 0)), at(1)).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    let failed = alert("key", &fence, at(2));
    warehouse.fail_stage(&fence, &failure(false), Some(&failed), at(2)).await.unwrap();
    run.finish().await.unwrap();
    assert_eq!(open(&warehouse).await, ["key"]);
    warehouse.retry_run(run.run.run_id, None).await.unwrap();
    let run = take_up(&warehouse, at(3)).await;
    let fence = run.begin(STAGE_UNPUBLISH).await;
    warehouse.unpublish_days(&fence, days(0, 0), at(3)).await.unwrap();
    assert_eq!(open(&warehouse).await, ["key"]);
    assert_eq!(run.finish().await.unwrap(), RunState::Succeeded);
    assert_eq!(open(&warehouse).await, Vec::<String>::new());
}

/// Another run over its last day alone leaves the others as they were; a missed deadline is
/// about one day.
pub async fn an_alert_of_a_long_run_is_open_until_all_of_its_days_are_published(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(-2, 0), at(0)).await;
    let failed = fail_with_alert(&warehouse, &run, "run", 1).await;
    let deadline = NewAlert {
        alert_key: "deadline".to_owned(),
        cause: AlertCause::DeadlineRunFailed,
        failed_at: at(2),
        ..failed
    };
    warehouse.write_alert(&deadline).await.unwrap();
    run.cancel().await;
    assert_eq!(open(&warehouse).await, ["deadline", "run"]);
    publish_run(&warehouse, days(0, 0), at(3), &[], &[]).await;
    assert_eq!(open(&warehouse).await, ["run"]);
    // Neither the last of its days nor all of them once they were taken back again.
    take_back(&warehouse, days(-2, 0), at(4)).await;
    assert_eq!(open(&warehouse).await, ["run"]);
    publish_run(&warehouse, days(-3, 0), at(5), &[], &[]).await;
    assert_eq!(open(&warehouse).await, Vec::<String>::new());
}

/// A failure without an alert writes none.
pub async fn a_failure_that_is_retried_silently_writes_no_alert(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    run.fail(&fence, true).await;
    assert_eq!(warehouse.claim_due_alerts(10, TTL).await.unwrap(), []);
}

/// The key identifies the failure: written again, the alert stays as it was.
pub async fn an_alert_with_a_known_key_is_written_once(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let first = fail_with_alert(&warehouse, &run, "key", 1).await;
    fail_with_alert(&warehouse, &run, "key", 2).await;
    let claimed = warehouse.claim_due_alerts(10, TTL).await.unwrap();
    assert_eq!(claimed, [PendingAlert { alert: first, tries: 0 }]);
}

/// A failure without a stage is reported once, however many notice it.
pub async fn an_alert_without_a_failed_stage_is_written_once(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let alert = NewAlert {
        cause: AlertCause::DeadlineWithoutRun,
        run_id: Uuid::nil(),
        attempt: 0,
        ..alert("day", &run.begin(STAGE_COPY_CRM_CSV).await, at(1))
    };
    assert!(warehouse.write_alert(&alert).await.unwrap());
    let later = NewAlert { failed_at: at(2), ..alert.clone() };
    assert!(!warehouse.write_alert(&later).await.unwrap());
    let claimed = warehouse.claim_due_alerts(10, TTL).await.unwrap();
    assert_eq!(claimed, [PendingAlert { alert, tries: 0 }]);
}

/// The oldest failures are claimed first, as many as requested; a lapsed claim can be
/// made again.
pub async fn the_oldest_alerts_are_claimed_first(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    for (key, failed_at_hour) in [("second", 2), ("first", 1), ("third", 3)] {
        fail_with_alert(&warehouse, &run, key, failed_at_hour).await;
    }
    assert_eq!(claimed_keys(&warehouse, 2, Duration::ZERO).await, ["first", "second"]);
    assert_eq!(claimed_keys(&warehouse, 2, TTL).await, ["first", "second"]);
    assert_eq!(claimed_keys(&warehouse, 2, TTL).await, ["third"]);
    assert!(claimed_keys(&warehouse, 2, TTL).await.is_empty());
}

/// A deferred alert is due later, with the try counted; a settled one is never due again.
pub async fn a_deferred_alert_comes_back_and_a_settled_one_does_not(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let alert = fail_with_alert(&warehouse, &run, "key", 1).await;
    warehouse.claim_due_alerts(1, TTL).await.unwrap();
    warehouse.defer_alert("key", Duration::ZERO, "the channel is away").await.unwrap();
    let again = warehouse.claim_due_alerts(1, TTL).await.unwrap();
    assert_eq!(again, [PendingAlert { alert, tries: 1 }]);
    warehouse.defer_alert("key", TTL, "the channel is away").await.unwrap();
    assert_eq!(warehouse.claim_due_alerts(1, TTL).await.unwrap(), []);

    warehouse.defer_alert("key", Duration::ZERO, "the channel is away").await.unwrap();
    warehouse.settle_alert("key", at(2)).await.unwrap();
    warehouse.settle_alert("key", at(3)).await.unwrap();
    assert_eq!(warehouse.claim_due_alerts(1, TTL).await.unwrap(), []);
    fail_with_alert(&warehouse, &run, "key", 4).await;
    assert_eq!(warehouse.claim_due_alerts(1, TTL).await.unwrap(), []);
}

/// The notifier remembers which channel accepted which alert.
pub async fn a_delivery_is_remembered_per_channel(warehouse: EngineUnderTest) {
    for channel in ["teams", "slack", "slack"] {
        warehouse.record_delivery("key", channel, at(1)).await.unwrap();
    }
    warehouse.record_delivery("other", "webhook", at(1)).await.unwrap();
    let mut channels = warehouse.delivered_channels("key").await.unwrap();
    channels.sort();
    assert_eq!(channels, ["slack", "teams"]);
    assert_eq!(warehouse.delivered_channels("other").await.unwrap(), ["webhook"]);
    assert!(warehouse.delivered_channels("unknown").await.unwrap().is_empty());
}
