//! What the audits of a run found, kept whatever becomes of the publish.

use domain::{
    audit::{AuditLevel, AuditResult, DayMeasurements},
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use warehouse_core::{Error, RunAudits};

use crate::{
    engine::EngineUnderTest,
    scene::{at, day, days, hold_run},
};

fn audits(hour: i64, findings: &[&str]) -> RunAudits {
    RunAudits {
        audited_at: at(hour),
        results: vec![AuditResult {
            audit: "volume".to_owned(),
            level: AuditLevel::Warn,
            rule: "a \u{1f3db} thin day\u{0}".to_owned(),
            findings: findings.iter().map(ToString::to_string).collect(),
            finding_count: 7,
        }],
        days: vec![
            DayMeasurements {
                day: day(0),
                rows: 3,
                expected_rows: 4,
                source_rows: 5,
                recent_median_source_rows: Some(1.5),
            },
            DayMeasurements {
                day: day(1),
                rows: 0,
                expected_rows: 0,
                source_rows: 0,
                recent_median_source_rows: None,
            },
        ],
    }
}

/// What was found stays when the stage fails, and is replaced when it audits again.
pub async fn what_audits_found_is_kept_until_they_judge_again(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 1), at(0)).await;
    let run_id = run.run.run_id;
    run.ingest(&[], &[]).await;
    run.build().await;
    assert_eq!(warehouse.run_audits(run_id).await.unwrap(), None);
    let fence = run.begin(STAGE_VALIDATE).await;
    let found = audits(1, &["a day is thin", "another one"]);
    warehouse.record_audits(&fence, &found).await.unwrap();
    assert_eq!(warehouse.run_audits(run_id).await.unwrap(), Some(found.clone()));
    run.fail(&fence, true).await;
    assert_eq!(warehouse.run_audits(run_id).await.unwrap(), Some(found));
    let again = audits(2, &[]);
    let fence = run.begin(STAGE_VALIDATE).await;
    warehouse.record_audits(&fence, &again).await.unwrap();
    assert_eq!(warehouse.run_audits(run_id).await.unwrap(), Some(again));
}

/// A stage that no longer holds its run records nothing.
pub async fn a_stale_fence_records_no_audit(warehouse: EngineUnderTest) {
    let run = hold_run(&warehouse, days(0, 0), at(0)).await;
    let fence = run.begin(STAGE_COPY_CRM_CSV).await;
    run.begin(STAGE_CALL_PRODUCT_API).await;
    run.fail(&fence, true).await;
    let refused = warehouse.record_audits(&fence, &audits(1, &[])).await;
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    assert_eq!(warehouse.run_audits(run.run.run_id).await.unwrap(), None);
}
