//! A day that is not published in time is told, however that came about.

use domain::{FailureKind, run::STAGE_COPY_CRM_CSV};

use crate::{script::Step, suite::Suite};

const KEY: &str = "pl_company_activity_daily/publish_deadline/2026-02-13";

/// A suite whose deadline is two hours before its clock's time.
async fn suite_past_the_deadline() -> Suite {
    let mut suite = Suite::new().await;
    suite.set_publish_deadline(4);
    suite
}

#[tokio::test]
async fn a_day_that_nobody_triggered_is_told_once_by_any_number_of_coordinators() {
    let suite = suite_past_the_deadline().await;
    let first = suite.start("coordinator-0");
    // Whoever never ran anything is not told of what does not run.
    let run = first.trigger_day("2026-02-10").await;
    first.ended(&run.run_id).await;
    first.kill().await;
    let (_one, _other) = (suite.start("coordinator-1"), suite.start("coordinator-2"));
    let alerts = suite.notifier.told(1).await;
    let alert = alerts.first().unwrap();
    assert_eq!((alert.alert_key.as_str(), alert.run_id.as_str(), alert.attempt), (KEY, "", 0));
    assert_eq!((alert.stage.as_str(), alert.error_code.as_str()), ("publish_deadline", "DEADLINE_EXCEEDED"));
    assert_eq!(alert.business_date, "2026-02-13");
    assert_eq!(
        alert.error_message,
        "2026-02-13 is not published by 04:00 UTC: no run covers it; see why nothing triggered it, \
         then run `activityctl trigger --from 2026-02-13 --to 2026-02-13`"
    );
}

#[tokio::test]
async fn a_day_whose_run_failed_is_told_with_what_keeps_it() {
    let suite = suite_past_the_deadline().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::InvalidInput, "no company_id")]);
    let first = suite.start("coordinator-0");
    let run = first.trigger_day("2026-02-13").await;
    first.ended(&run.run_id).await;
    first.kill().await;
    let _second = suite.start("coordinator-1");
    let alerts = suite.notifier.told(2).await;
    let alert = alerts.iter().find(|alert| alert.alert_key == KEY).unwrap();
    assert_eq!(alert.run_id, run.run_id);
    assert_eq!(
        alert.error_message,
        format!(
            "2026-02-13 is not published by 04:00 UTC: run {} is FAILED; {STAGE_COPY_CRM_CSV} is FAILED (no company_id)",
            run.run_id
        )
    );
}
