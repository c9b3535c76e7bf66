//! Runs and their stages as rows.

use domain::{Counters, DateWindow, RunState, RunTrigger, StageState};
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    EARLIER_ATTEMPTS, Error, NewRun, Run, RunStage, StageAttempt,
    engine::{corrupt, counted},
};

use crate::fault::Result;

/// Inserts a queued run and its stages.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    new: &NewRun,
    window: DateWindow,
) -> Result<()> {
    let run_id = new.run_id.hyphenated();
    sqlx::query_file!(
        "../sql/runs/insert_run.sql",
        run_id,
        new.pipeline,
        window.start(),
        window.end(),
        new.trigger.as_str(),
        new.created_at,
        new.traceparent,
        serde_json::to_string(&new.accept_empty_days).map_err(corrupt)?,
        new.requested_by,
        serde_json::to_string(&new.rebuild_days).map_err(corrupt)?
    )
    .execute(&mut *connection)
    .await?;
    for (position, stage) in (0_i64..).zip(&new.stages) {
        let depends_on = serde_json::Value::from(stage.depends_on.clone()).to_string();
        sqlx::query_file!(
            "../sql/runs/insert_stage.sql",
            run_id,
            stage.stage,
            position,
            stage.service,
            depends_on
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The run with the id that a query returned, if any.
pub(crate) async fn find_by(connection: &mut SqliteConnection, id: Option<String>) -> Result<Option<Run>> {
    match id {
        Some(id) => find(connection, parse_id(&id)?).await,
        None => Ok(None),
    }
}

/// A run that must exist.
pub(crate) async fn load(connection: &mut SqliteConnection, run_id: Uuid) -> Result<Run> {
    let found = find(connection, run_id).await?;
    Ok(found.ok_or_else(|| Error::NotFound(format!("run {run_id}")))?)
}

/// A run with its stages, if the id exists.
pub(crate) async fn find(connection: &mut SqliteConnection, run_id: Uuid) -> Result<Option<Run>> {
    let found = sqlx::query_file!("../sql/runs/find.sql", run_id.hyphenated());
    let Some(row) = found.fetch_optional(&mut *connection).await? else { return Ok(None) };
    Ok(Some(Run {
        run_id,
        pipeline: row.pipeline,
        window: DateWindow::new(row.window_start, row.window_end).map_err(corrupt)?,
        trigger: RunTrigger::parse(&row.run_trigger).ok_or_else(|| corrupt(row.run_trigger))?,
        accept_empty_days: serde_json::from_str(&row.accept_empty_days).map_err(corrupt)?,
        rebuild_days: serde_json::from_str(&row.rebuild_days).map_err(corrupt)?,
        requested_by: row.requested_by,
        state: RunState::parse(&row.state).ok_or_else(|| corrupt(row.state))?,
        lease_epoch: row.lease_epoch,
        created_at: row.created_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        traceparent: row.traceparent,
        stages: stages(connection, run_id).await?,
    }))
}

async fn stages(connection: &mut SqliteConnection, run_id: Uuid) -> Result<Vec<RunStage>> {
    let rows = sqlx::query_file!("../sql/runs/stages.sql", run_id.hyphenated());
    let rows = rows.fetch_all(&mut *connection).await?;
    let mut stages: Vec<RunStage> = rows
        .into_iter()
        .map(|row| {
            Ok(RunStage {
                stage: row.stage,
                service: row.service,
                depends_on: serde_json::from_str(&row.depends_on).map_err(corrupt)?,
                state: StageState::parse(&row.state).ok_or_else(|| corrupt(row.state))?,
                attempt: u32::try_from(row.attempt).map_err(corrupt)?,
                failures: u32::try_from(row.failures).map_err(corrupt)?,
                started_at: row.started_at,
                ended_at: row.ended_at,
                counters: Counters {
                    rows_read: counted(row.rows_read)?,
                    rows_written: counted(row.rows_written)?,
                    rows_unchanged: counted(row.rows_unchanged)?,
                    rows_duplicate: counted(row.rows_duplicate)?,
                    rows_rejected: counted(row.rows_rejected)?,
                    rows_removed: counted(row.rows_removed)?,
                    bytes_read: counted(row.bytes_read)?,
                },
                remarks: serde_json::from_str(&row.remarks).map_err(corrupt)?,
                error_code: row.error_code,
                error_message: row.error_message,
                earlier_attempts: Vec::new(),
            })
        })
        .collect::<Result<_>>()?;
    // Most runs have nothing but attempts that succeed, and so need no second look.
    if stages.iter().any(RunStage::may_have_failed) {
        add_earlier_attempts(connection, run_id, &mut stages).await?;
    }
    Ok(stages)
}

async fn add_earlier_attempts(
    connection: &mut SqliteConnection,
    run_id: Uuid,
    stages: &mut [RunStage],
) -> Result<()> {
    let attempts =
        sqlx::query_file!("../sql/runs/earlier_attempts.sql", run_id.hyphenated(), EARLIER_ATTEMPTS);
    for row in attempts.fetch_all(connection).await? {
        let Some(stage) = stages.iter_mut().find(|stage| stage.stage == row.stage) else { continue };
        stage.earlier_attempts.push(StageAttempt {
            attempt: u32::try_from(row.attempt).map_err(corrupt)?,
            started_at: row.started_at,
            ended_at: row.ended_at,
            error_code: row.error_code,
            error_message: row.error_message,
            is_interruption: row.is_interruption,
        });
    }
    Ok(())
}

pub(crate) fn parse_id(id: &str) -> Result<Uuid> {
    Ok(Uuid::parse_str(id).map_err(corrupt)?)
}
