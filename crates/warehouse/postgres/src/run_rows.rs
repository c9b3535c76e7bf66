//! Runs and their stages as rows.

use chrono::NaiveDate;
use domain::{Counters, DateWindow, RunState, RunTrigger, StageState};
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{
    EARLIER_ATTEMPTS, Error, NewRun, Run, RunStage, StageAttempt,
    engine::{corrupt, counted},
};

use crate::{database::storable, fault::Result};

/// Inserts a queued run and its stages.
pub(crate) async fn insert(connection: &mut PgConnection, new: &NewRun, window: DateWindow) -> Result<()> {
    let accepted: Vec<NaiveDate> = new.accept_empty_days.iter().copied().collect();
    let rebuilt: Vec<NaiveDate> = new.rebuild_days.iter().copied().collect();
    let requested_by = storable(&new.requested_by);
    sqlx::query_file!(
        "../sql/runs/insert_run.sql",
        new.run_id,
        new.pipeline,
        window.start(),
        window.end(),
        new.trigger.as_str(),
        new.created_at,
        new.traceparent,
        &accepted,
        requested_by.as_ref(),
        &rebuilt
    )
    .execute(&mut *connection)
    .await?;
    for (position, stage) in (0_i32..).zip(&new.stages) {
        sqlx::query_file!(
            "../sql/runs/insert_stage.sql",
            new.run_id,
            stage.stage,
            position,
            stage.service,
            &stage.depends_on
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The run with the id that a query returned, if any.
pub(crate) async fn find_by(connection: &mut PgConnection, id: Option<Uuid>) -> Result<Option<Run>> {
    match id {
        Some(id) => find(connection, id).await,
        None => Ok(None),
    }
}

/// A run that must exist.
pub(crate) async fn load(connection: &mut PgConnection, run_id: Uuid) -> Result<Run> {
    let found = find(connection, run_id).await?;
    Ok(found.ok_or_else(|| Error::NotFound(format!("run {run_id}")))?)
}

/// A run that must exist, locked until the caller's transaction ends.
pub(crate) async fn load_locked(connection: &mut PgConnection, run_id: Uuid) -> Result<Run> {
    sqlx::query!("SELECT run_id FROM pipeline_runs WHERE run_id = $1 FOR NO KEY UPDATE", run_id)
        .fetch_optional(&mut *connection)
        .await?;
    load(connection, run_id).await
}

/// A run with its stages, if the id exists.
pub(crate) async fn find(connection: &mut PgConnection, run_id: Uuid) -> Result<Option<Run>> {
    let found = sqlx::query_file!("../sql/runs/find.sql", run_id);
    let Some(row) = found.fetch_optional(&mut *connection).await? else { return Ok(None) };
    Ok(Some(Run {
        run_id,
        pipeline: row.pipeline,
        window: DateWindow::new(row.window_start, row.window_end).map_err(corrupt)?,
        trigger: RunTrigger::parse(&row.run_trigger).ok_or_else(|| corrupt(row.run_trigger))?,
        accept_empty_days: row.accept_empty_days.into_iter().collect(),
        rebuild_days: row.rebuild_days.into_iter().collect(),
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

async fn stages(connection: &mut PgConnection, run_id: Uuid) -> Result<Vec<RunStage>> {
    let rows = sqlx::query_file!("../sql/runs/stages.sql", run_id);
    let rows = rows.fetch_all(&mut *connection).await?;
    let mut stages: Vec<RunStage> = rows
        .into_iter()
        .map(|row| {
            Ok(RunStage {
                stage: row.stage,
                service: row.service,
                depends_on: row.depends_on,
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
                remarks: row.remarks,
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
    connection: &mut PgConnection,
    run_id: Uuid,
    stages: &mut [RunStage],
) -> Result<()> {
    let attempts = sqlx::query_file!("../sql/runs/earlier_attempts.sql", run_id, i64::from(EARLIER_ATTEMPTS));
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
