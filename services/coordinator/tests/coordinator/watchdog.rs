//! A day that is not published in time raises an alert, whatever the cause.

use domain::{FailureKind, run::STAGE_COPY_CRM_CSV};

use proto::notifier::v1::AlertCause;

use crate::{script::Step, suite::Suite};

const KEY: &str = "pl_company_activity_daily/publish_deadline/2026-02-13";

/// Two hours before the suite's clock.
const DEADLINE: u32 = 4;

#[tokio::test]
async fn a_day_that_nobody_triggered_is_reported() {
    let mut suite = Suite::new().await;
    let first = suite.start("coordinator-0");
    let run = first.trigger_day("2026-02-10").await;
    first.ended(&run.run_id).await;
    first.kill().await;
    suite.set_publish_deadline(DEADLINE);
    let _second = suite.start("coordinator-1");
    let alert = suite.notifier.reported_by_key(KEY).await;
    assert_eq!((alert.run_id.as_str(), alert.attempt), ("", 0));
    assert_eq!((alert.stage.as_str(), alert.error_code.as_str()), ("publish_deadline", "DEADLINE_EXCEEDED"));
    assert_eq!(alert.business_date, "2026-02-13");
    assert_eq!(alert.error_message, "2026-02-13 is not published by 04:00 UTC: no run covers it");
    assert_eq!(alert.cause(), AlertCause::DeadlineWithoutRun);
}

#[tokio::test]
async fn a_day_whose_run_failed_is_reported_with_what_keeps_it() {
    let mut suite = Suite::new().await;
    suite.script.plan(STAGE_COPY_CRM_CSV, [Step::Fail(FailureKind::InvalidInput, "no company_id")]);
    let first = suite.start("coordinator-0");
    let run = first.trigger_day("2026-02-13").await;
    first.ended(&run.run_id).await;
    first.kill().await;
    suite.set_publish_deadline(DEADLINE);
    let _second = suite.start("coordinator-1");
    let alert = suite.notifier.reported_by_key(KEY).await;
    assert_eq!((alert.run_id.as_str(), alert.cause()), (run.run_id.as_str(), AlertCause::DeadlineRunFailed));
    assert_eq!(
        alert.error_message,
        format!(
            "2026-02-13 is not published by 04:00 UTC: run {} is FAILED; {STAGE_COPY_CRM_CSV} is FAILED (no company_id)",
            run.run_id
        )
    );
}
