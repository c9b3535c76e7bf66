//! Runs and stages as rows, and the lease on a run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, RunState, StageState, trend::StageExecution};
use sqlx::PgConnection;
use uuid::Uuid;
use warehouse_core::{
    CreatedRun, Error, Fence, LeaseState, NewAlert, NewRun, Result, Run, RunCursor, RunStore, StageFailure,
    TakenUp,
};

use crate::{
    PostgresWarehouse, alerts,
    database::{counted, failed, storable, stored},
    fence,
    locks::Lock,
    retry,
    rows::corrupt,
    run_choice::{Choice, active_run_over, choose_window},
    run_rows::{self, find, load, load_locked},
};

#[async_trait]
impl RunStore for PostgresWarehouse {
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun> {
        let mut transaction = self.begin_write().await?;
        Lock::Pipeline(&new.pipeline).take(&mut transaction).await?;
        let window = match choose_window(&mut transaction, &new).await? {
            Choice::Found(run) => return Ok(CreatedRun { run, created: false }),
            Choice::Create(window) => window,
        };
        run_rows::insert(&mut transaction, &new, window).await?;
        let run = load(&mut transaction, new.run_id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(CreatedRun { run, created: true })
    }

    async fn run(&self, run_id: Uuid) -> Result<Option<Run>> {
        let mut transaction = self.begin_read().await?;
        find(&mut transaction, run_id).await
    }

    async fn runs(&self, states: &[RunState], after: Option<RunCursor>, limit: u32) -> Result<Vec<Run>> {
        let states: Vec<String> = states.iter().map(ToString::to_string).collect();
        let after = after.map(|RunCursor(run_id)| run_id);
        let mut transaction = self.begin_read().await?;
        let ids = sqlx::query_file_scalar!("sql/runs/list.sql", &states, after, i64::from(limit))
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            runs.push(load(&mut transaction, id).await?);
        }
        Ok(runs)
    }

    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>> {
        sqlx::query_file_scalar!("sql/runs/failed_days.sql", pipeline, window.start(), window.end())
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(failed)
    }

    async fn recent_executions(&self, run: &Run, stage: &str, limit: u32) -> Result<Vec<StageExecution>> {
        let to_last_day =
            i32::try_from((run.window.end() - run.window.start()).num_days()).unwrap_or(i32::MAX);
        let rows = sqlx::query_file!(
            "sql/runs/recent_executions.sql",
            run.run_id,
            run.pipeline,
            to_last_day,
            stage,
            i64::from(limit)
        )
        .fetch_all(&mut *self.connection().await?)
        .await
        .map_err(failed)?;
        let executions = rows.into_iter().map(|row| StageExecution {
            day: row.day,
            took: (row.ended_at - row.started_at).to_std().unwrap_or_default(),
            rows: counted(row.rows_read),
        });
        Ok(executions.collect())
    }

    async fn acquire_run(
        &self,
        pipeline: &str,
        holder: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>> {
        // Asked every second: as long as there is nothing to do, nobody is kept waiting.
        if acquire_candidate(&mut *self.begin_read().await?, pipeline, holder).await?.is_none() {
            return Ok(None);
        }
        let mut transaction = self.begin_write().await?;
        Lock::Pipeline(pipeline).take(&mut transaction).await?;
        sqlx::query_file!("sql/runs/lock_active.sql", pipeline)
            .fetch_all(&mut *transaction)
            .await
            .map_err(failed)?;
        let candidate = acquire_candidate(&mut transaction, pipeline, holder).await?;
        let Some(run_id) = candidate else { return Ok(None) };
        let is_resumed = load(&mut transaction, run_id).await?.state == RunState::Running;
        sqlx::query_file!("sql/runs/take_up.sql", run_id, holder, ttl.as_secs_f64(), now)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        // Waits for a data transaction that is about to commit; later ones find
        // the stage no longer RUNNING at their attempt.
        let interrupted = sqlx::query_scalar!(
            "UPDATE pipeline_run_stages SET state = 'PENDING' WHERE run_id = $1 AND state = 'RUNNING' RETURNING stage",
            run_id
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        let run = load(&mut transaction, run_id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(Some(TakenUp { run, is_resumed, interrupted }))
    }

    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState> {
        let renewed = sqlx::query_file!("sql/runs/renew_lease.sql", run_id, epoch, ttl.as_secs_f64())
            .execute(&mut *self.connection().await?)
            .await
            .map_err(failed)?
            .rows_affected();
        if renewed > 0 {
            return Ok(LeaseState::Held);
        }
        let run = self.run(run_id).await?.ok_or_else(|| Error::NotFound(format!("run {run_id}")))?;
        Ok(if run.state.is_terminal() { LeaseState::Ended(run.state) } else { LeaseState::Lost })
    }

    async fn release_lease(&self, run_id: Uuid, epoch: i64) -> Result<()> {
        sqlx::query_file!("sql/runs/release_lease.sql", run_id, epoch)
            .execute(&mut *self.connection().await?)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Result<Fence> {
        let fence = |attempt| Fence { run_id, stage: stage.to_owned(), attempt, epoch };
        let mut transaction = self.begin_write().await?;
        let held = sqlx::query_file_scalar!("sql/runs/lock_held.sql", run_id, epoch)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
        let mut attempt = None;
        if held.is_some() {
            attempt = sqlx::query_file_scalar!("sql/runs/begin_stage.sql", run_id, stage, now)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        let Some(attempt) = attempt else {
            return Err(Error::Fenced {
                fence: fence(0),
                problem: "the run is not held at this epoch, or the stage is not PENDING with all its \
                          dependencies succeeded"
                    .to_owned(),
            });
        };
        transaction.commit().await.map_err(failed)?;
        Ok(fence(u32::try_from(attempt).map_err(corrupt)?))
    }

    async fn check_fence(&self, fence: &Fence) -> Result<()> {
        // Waits for a transaction of the same stage that is about to commit: after
        // it the answer may be another one.
        let mut transaction = self.begin_write().await?;
        fence::hold(&mut transaction, fence).await
    }

    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        fence::hold(&mut transaction, fence).await?;
        complete_stage(&mut transaction, fence, counters, remarks, now).await?;
        transaction.commit().await.map_err(failed)
    }

    async fn fail_stage(
        &self,
        fence: &Fence,
        failure: &StageFailure,
        alert: Option<&NewAlert>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let state = if failure.will_retry { StageState::Pending } else { StageState::Failed }.as_str();
        let counted_failures = i32::from(!failure.is_interruption);
        let message = storable(&failure.message);
        let mut transaction = self.begin_write().await?;
        fence::hold(&mut transaction, fence).await?;
        sqlx::query_file!(
            "sql/runs/fail_stage.sql",
            fence.run_id,
            fence.stage,
            now,
            state,
            failure.code,
            message.as_ref(),
            counted_failures
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        if let Some(alert) = alert {
            alerts::enqueue(&mut transaction, alert).await?;
        }
        transaction.commit().await.map_err(failed)
    }

    async fn finish_run(&self, run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> Result<RunState> {
        let mut transaction = self.begin_write().await?;
        let run = load_locked(&mut transaction, run_id).await?;
        let state = final_state(&run, epoch)?;
        end_run(&mut transaction, run_id, state, StageState::Skipped, now).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(state)
    }

    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run> {
        let mut transaction = self.begin_write().await?;
        let run = load_locked(&mut transaction, run_id).await?;
        match run.state {
            RunState::Cancelled => return Ok(run),
            RunState::Succeeded | RunState::Failed => {
                return Err(Error::Precondition(format!("run {run_id} has ended: it is {}", run.state)));
            }
            RunState::Queued | RunState::Running => {}
        }
        end_run(&mut transaction, run_id, RunState::Cancelled, StageState::Cancelled, now).await?;
        let run = load(&mut transaction, run_id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(run)
    }

    async fn retry_run(&self, run_id: Uuid, traceparent: Option<&str>) -> Result<Run> {
        let mut transaction = self.begin_write().await?;
        let pipeline = load(&mut transaction, run_id).await?.pipeline;
        Lock::Pipeline(&pipeline).take(&mut transaction).await?;
        let run = load_locked(&mut transaction, run_id).await?;
        if !matches!(run.state, RunState::Failed | RunState::Cancelled) {
            return Err(Error::Precondition(format!(
                "run {run_id} is {}: only a failed or cancelled run can be retried",
                run.state
            )));
        }
        if let Some(active) =
            active_run_over(&mut transaction, &run.pipeline, run.window, run.trigger).await?
        {
            return Err(Error::Precondition(format!(
                "run {run_id} cannot be retried: run {} is active over the same days",
                active.run_id
            )));
        }
        sqlx::query!(
            "UPDATE pipeline_runs SET state = 'QUEUED', ended_at = NULL, traceparent = $2 WHERE run_id = $1",
            run_id,
            traceparent
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let lost: Vec<String> =
            retry::lost_stages(&mut transaction, &run).await?.into_iter().map(str::to_owned).collect();
        sqlx::query_file!("sql/runs/reopen_stages.sql", run_id, &lost)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let run = load(&mut transaction, run_id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(run)
    }
}

async fn acquire_candidate(
    connection: &mut PgConnection,
    pipeline: &str,
    holder: &str,
) -> Result<Option<Uuid>> {
    sqlx::query_file_scalar!("sql/runs/acquire_candidate.sql", pipeline, holder)
        .fetch_optional(connection)
        .await
        .map_err(failed)
}

/// Commits a stage as SUCCEEDED within the caller's transaction, which holds the fence.
pub(crate) async fn complete_stage(
    connection: &mut PgConnection,
    fence: &Fence,
    counters: Counters,
    remarks: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
    let remarks: Vec<String> = remarks.iter().map(|remark| storable(remark).into_owned()).collect();
    sqlx::query_file!(
        "sql/runs/complete_stage.sql",
        fence.run_id,
        fence.stage,
        now,
        stored(counters.rows_read),
        stored(counters.rows_written),
        stored(counters.rows_unchanged),
        stored(counters.rows_duplicate),
        stored(counters.rows_rejected),
        stored(counters.rows_removed),
        stored(counters.bytes_read),
        &remarks
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// The counters of a run's stages that have succeeded.
pub(crate) async fn finished_stages(
    connection: &mut PgConnection,
    run_id: Uuid,
) -> Result<Vec<(String, Counters)>> {
    let run = load(connection, run_id).await?;
    Ok(run
        .stages
        .into_iter()
        .filter(|stage| stage.state == StageState::Succeeded)
        .map(|stage| (stage.stage, stage.counters))
        .collect())
}

/// What a run ends as, if it may end now.
fn final_state(run: &Run, epoch: i64) -> Result<RunState> {
    let run_id = run.run_id;
    if run.state != RunState::Running || run.lease_epoch != epoch {
        return Err(Error::Precondition(format!("run {run_id} is not held at lease epoch {epoch}")));
    }
    let any = |state| run.stages.iter().any(|stage| stage.state == state);
    if any(StageState::Running) || (any(StageState::Pending) && !any(StageState::Failed)) {
        return Err(Error::Precondition(format!("run {run_id} has unfinished stages")));
    }
    let succeeded = run.stages.iter().all(|stage| stage.state == StageState::Succeeded);
    Ok(if succeeded { RunState::Succeeded } else { RunState::Failed })
}

/// Ends a run, and with it the stages that have not ended.
async fn end_run(
    connection: &mut PgConnection,
    run_id: Uuid,
    state: RunState,
    unfinished: StageState,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE pipeline_runs SET state = $2, ended_at = $3 WHERE run_id = $1",
        run_id,
        state.as_str(),
        now
    )
    .execute(&mut *connection)
    .await
    .map_err(failed)?;
    sqlx::query_file!("sql/runs/end_stages.sql", run_id, unfinished.as_str(), now)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}
