//! Stages run in order, and only then.

use std::time::Duration;

use anyhow::{Context as _, Result};
use domain::{
    DateWindow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use e2e::{
    operator::window_proto,
    runs::{STAGES, is_in, stage},
    suite::Suite,
    vectors::Vector,
};
use proto::{
    pipeline::v1::{CancelRunRequest, Run, RunState, StageState},
    stage::v1::ExecuteStageRequest,
};
use sample_sources::Fault;
use tonic::Code;

/// Longer than any test: the product API does not answer.
const NEVER: Duration = Duration::from_secs(3600);

fn times(run: &Run, name: &str) -> Result<((i64, i32), (i64, i32))> {
    let stage = stage(run, name)?;
    let start = stage.start_time.context("it has no start")?;
    let end = stage.end_time.context("it has no end")?;
    Ok(((start.seconds, start.nanos), (end.seconds, end.nanos)))
}

#[tokio::test]
async fn a_stage_starts_when_those_it_depends_on_have_ended() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded);
    let names: Vec<&str> = run.stages.iter().map(|stage| stage.stage.as_str()).collect();
    assert_eq!(names, STAGES);
    let (crm, api) = (times(&run, STAGE_COPY_CRM_CSV)?, times(&run, STAGE_CALL_PRODUCT_API)?);
    let (build, validate) = (times(&run, STAGE_BUILD_FACT)?, times(&run, STAGE_VALIDATE)?);
    assert!(build.0 >= crm.1.max(api.1), "{run:#?}");
    assert!(validate.0 >= build.1, "{run:#?}");
    for (start, end) in [crm, api, build, validate] {
        assert!(start <= end, "{run:#?}");
    }
    Ok(())
}

/// A run that waits for the product API, which does not answer.
async fn run_waiting_for_the_product_api(suite: &Suite, window: DateWindow) -> Result<Run> {
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::SlowFirstByte(NEVER));
    let run = suite.trigger(window, true).await?.run.context("no run")?;
    suite
        .watch_until(&run.run_id, |run| {
            is_in(run, STAGE_COPY_CRM_CSV, StageState::Succeeded)
                && is_in(run, STAGE_CALL_PRODUCT_API, StageState::Running)
        })
        .await
}

#[tokio::test]
async fn the_ingests_do_not_wait_for_each_other_and_everything_else_waits_for_both() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = run_waiting_for_the_product_api(&suite, vector.window).await?;
    for waiting in [STAGE_BUILD_FACT, STAGE_VALIDATE] {
        assert!(is_in(&run, waiting, StageState::Pending), "{run:#?}");
    }
    let cancelled = suite.pipeline()?.cancel_run(CancelRunRequest { run_id: run.run_id }).await?;
    assert_eq!(cancelled.into_inner().run.context("no run")?.state(), RunState::Cancelled);
    assert_eq!(suite.fact(vector.window).await?.len(), 0);
    Ok(())
}

/// Executes a stage, bypassing the coordinator.
async fn execute(suite: &Suite, request: ExecuteStageRequest) -> Result<tonic::Status> {
    let service = match request.stage.as_str() {
        STAGE_COPY_CRM_CSV => "ingest-crm",
        STAGE_CALL_PRODUCT_API => "ingest-api",
        _ => "transform",
    };
    let context = format!("{request:?} was executed");
    match suite.stage_service(service)?.execute_stage(request).await {
        Err(status) => Ok(status),
        Ok(response) => {
            let mut updates = response.into_inner();
            loop {
                match updates.message().await {
                    Err(status) => return Ok(status),
                    Ok(Some(_)) => {}
                    Ok(None) => anyhow::bail!(context),
                }
            }
        }
    }
}

fn call(run: &Run, stage: &str, attempt: u32, lease_epoch: i64) -> ExecuteStageRequest {
    ExecuteStageRequest {
        run_id: run.run_id.clone(),
        pipeline: run.pipeline.clone(),
        stage: stage.to_owned(),
        window: run.window.clone(),
        attempt,
        lease_epoch,
        accept_empty_days: Vec::new(),
    }
}

#[tokio::test]
async fn a_call_past_the_coordinator_is_refused_and_changes_nothing() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let ended = suite.run_to_end(vector.window, false).await?;
    let before = suite.fact_csv(vector.window).await?;
    // If one of the calls loaded anything, this record would show up.
    suite.sources.add_usage(r#"{"company_id":"acme","date":"2026-01-05","active_users":9,"events":9}"#)?;
    suite.sources.put_export(
        "companies_2026-01-02.csv",
        "company_id,name,country,industry_tag,last_contact_at\nacme,Changed,,,\nbolt,,,,\nsilent,,,,\n",
    )?;

    let unknown = Run { run_id: uuid::Uuid::nil().to_string(), ..ended.clone() };
    for name in STAGES {
        let attempt = stage(&ended, name)?.attempt;
        for request in [
            call(&ended, name, attempt, ended.lease_epoch),
            call(&ended, name, attempt + 1, ended.lease_epoch + 1),
            call(&unknown, name, 1, 1),
        ] {
            let status = execute(&suite, request.clone()).await?;
            assert_eq!(status.code(), Code::FailedPrecondition, "{request:?}: {status}");
        }
    }
    assert_eq!(suite.fact_csv(vector.window).await?, before);
    let warehouse = suite.warehouse().await?;
    let staged: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM stg_product_usage").fetch_one(&warehouse).await?;
    assert_eq!(staged, i64::try_from(vector.usage.len())?);
    let changed: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM stg_crm_companies WHERE name = 'Changed'")
        .fetch_one(&warehouse)
        .await?;
    assert_eq!(changed, 0);
    Ok(())
}

#[tokio::test]
async fn a_stage_of_a_live_run_that_is_not_its_turn_is_refused() -> Result<()> {
    let suite = Suite::separate().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = run_waiting_for_the_product_api(&suite, vector.window).await?;
    let epoch = run.lease_epoch;
    for request in [
        // Before its dependencies have succeeded.
        call(&run, STAGE_BUILD_FACT, 1, epoch),
        call(&run, STAGE_VALIDATE, 1, epoch),
        // Already done.
        call(&run, STAGE_COPY_CRM_CSV, 1, epoch),
        call(&run, STAGE_COPY_CRM_CSV, 2, epoch),
    ] {
        let status = execute(&suite, request.clone()).await?;
        assert_eq!(status.code(), Code::FailedPrecondition, "{request:?}: {status}");
    }
    // From a coordinator that lost the run to another, with a source that answers.
    suite.sources.faults.clear();
    let status = execute(&suite, call(&run, STAGE_CALL_PRODUCT_API, 1, epoch - 1)).await?;
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");

    let warehouse = suite.warehouse().await?;
    for table in ["stg_product_usage", "fact_candidates", "fact_company_activity"] {
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&warehouse).await?;
        assert_eq!(rows, 0, "{table}");
    }
    Ok(())
}

#[tokio::test]
async fn a_stage_that_a_service_does_not_execute_is_refused_as_such() -> Result<()> {
    let suite = Suite::separate().await?;
    let request = ExecuteStageRequest {
        run_id: uuid::Uuid::nil().to_string(),
        stage: STAGE_VALIDATE.to_owned(),
        window: Some(window_proto(DateWindow::parse("2026-01-01", "2026-01-01")?)),
        attempt: 1,
        ..ExecuteStageRequest::default()
    };
    let response = suite.stage_service("ingest-crm")?.execute_stage(request).await;
    assert_eq!(response.err().map(|status| status.code()), Some(Code::InvalidArgument));
    Ok(())
}
