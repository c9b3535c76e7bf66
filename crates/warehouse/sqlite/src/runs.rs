//! Runs and stages as rows, and the lease on a run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, RunState, StageState, trend::StageExecution};
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    CreatedRun, Error, Fence, LeaseState, NewAlert, NewRun, Result, Run, RunCursor, RunStore, StageFailure,
    TakenUp,
};

use crate::{
    SqliteWarehouse, alerts,
    database::{counted, failed, stored},
    fence, retry,
    rows::corrupt,
    run_choice::{Choice, active_run_over, choose_window},
    run_rows::{self, find, load, parse_id},
};

#[async_trait]
impl RunStore for SqliteWarehouse {
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun> {
        let mut transaction = self.begin_write().await?;
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
        let states = serde_json::Value::from_iter(states.iter().map(|state| state.as_str())).to_string();
        let after = after.map(|RunCursor(run_id)| run_id.to_string());
        let mut transaction = self.begin_read().await?;
        let ids = sqlx::query_scalar!(
            "SELECT run_id FROM pipeline_runs
             WHERE (?1 = '[]' OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR run_id < ?2)
             ORDER BY run_id DESC LIMIT ?3",
            states,
            after,
            limit
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            runs.push(load(&mut transaction, parse_id(&id)?).await?);
        }
        Ok(runs)
    }

    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>> {
        let (start, end) = (window.start(), window.end());
        sqlx::query_file_scalar!("sql/runs/failed_days.sql", pipeline, start, end)
            .fetch_all(&self.readers)
            .await
            .map_err(failed)
    }

    async fn recent_executions(&self, run: &Run, stage: &str, limit: u32) -> Result<Vec<StageExecution>> {
        let id = run.run_id.to_string();
        let to_last_day = (run.window.end() - run.window.start()).num_days();
        let rows =
            sqlx::query_file!("sql/runs/recent_executions.sql", id, run.pipeline, to_last_day, stage, limit)
                .fetch_all(&self.readers)
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
        let ttl_ms = millis(ttl);
        // Asked every second: as long as there is nothing to do, no writer is kept waiting.
        if acquire_candidate(&mut *self.begin_read().await?, pipeline, holder).await?.is_none() {
            return Ok(None);
        }
        let mut transaction = self.begin_write().await?;
        let candidate = acquire_candidate(&mut transaction, pipeline, holder).await?;
        let Some(run_id) = candidate else { return Ok(None) };
        let id = parse_id(&run_id)?;
        let is_resumed = load(&mut transaction, id).await?.state == RunState::Running;
        sqlx::query_file!("sql/runs/take_up.sql", run_id, holder, ttl_ms, now)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        let interrupted = sqlx::query_scalar!(
            "UPDATE pipeline_run_stages SET state = 'PENDING' WHERE run_id = ?1 AND state = 'RUNNING' RETURNING stage",
            run_id
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        let run = load(&mut transaction, id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(Some(TakenUp { run, is_resumed, interrupted }))
    }

    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState> {
        let (id, ttl_ms) = (run_id.to_string(), millis(ttl));
        let renewed = sqlx::query!(
            "UPDATE pipeline_runs SET lease_expires_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER) + ?3
             WHERE run_id = ?1 AND lease_epoch = ?2 AND state = 'RUNNING'",
            id,
            epoch,
            ttl_ms
        )
        .execute(&self.writer)
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
        let id = run_id.to_string();
        sqlx::query_file!("sql/runs/release_lease.sql", id, epoch)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Result<Fence> {
        let id = run_id.to_string();
        let mut transaction = self.begin_write().await?;
        let attempt = sqlx::query_file_scalar!("sql/runs/begin_stage.sql", id, epoch, stage, now)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(failed)?;
        let fence = |attempt| Fence { run_id, stage: stage.to_owned(), attempt, epoch };
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
        let mut transaction = self.begin_read().await?;
        fence::check(&mut transaction, fence).await
    }

    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
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
        let run_id = fence.run_id.to_string();
        let state = if failure.will_retry { StageState::Pending } else { StageState::Failed }.as_str();
        let counted_failures = i64::from(!failure.is_interruption);
        let mut transaction = self.begin_write().await?;
        fence::check(&mut transaction, fence).await?;
        sqlx::query_file!(
            "sql/runs/fail_stage.sql",
            run_id,
            fence.stage,
            now,
            state,
            failure.code,
            failure.message,
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
        let run = load(&mut transaction, run_id).await?;
        let state = final_state(&run, epoch)?;
        end_run(&mut transaction, run_id, state, StageState::Skipped, now).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(state)
    }

    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run> {
        let mut transaction = self.begin_write().await?;
        let run = load(&mut transaction, run_id).await?;
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
        let id = run_id.to_string();
        let mut transaction = self.begin_write().await?;
        let run = load(&mut transaction, run_id).await?;
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
            "UPDATE pipeline_runs SET state = 'QUEUED', ended_at = NULL, traceparent = ?2 WHERE run_id = ?1",
            id,
            traceparent
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let lost = json!(retry::lost_stages(&mut transaction, &run).await?).to_string();
        sqlx::query!(
            "UPDATE pipeline_run_stages SET state = 'PENDING', failures = 0, ended_at = NULL
             WHERE run_id = ?1 AND (state <> 'SUCCEEDED' OR stage IN (SELECT value FROM json_each(?2)))",
            id,
            lost
        )
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        let run = load(&mut transaction, run_id).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(run)
    }
}

async fn acquire_candidate(
    connection: &mut SqliteConnection,
    pipeline: &str,
    holder: &str,
) -> Result<Option<String>> {
    sqlx::query_file_scalar!("sql/runs/acquire_candidate.sql", pipeline, holder)
        .fetch_optional(connection)
        .await
        .map_err(failed)
}

/// Commits a stage as SUCCEEDED within the caller's transaction, which has
/// checked the fence.
pub(crate) async fn complete_stage(
    connection: &mut SqliteConnection,
    fence: &Fence,
    counters: Counters,
    remarks: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let counters = counters.check_balance().map_err(|error| Error::Refused(error.to_string()))?;
    let (run_id, remarks) = (fence.run_id.to_string(), serde_json::Value::from(remarks.to_vec()).to_string());
    let [read, written, unchanged, duplicate, rejected, removed, bytes] = [
        counters.rows_read,
        counters.rows_written,
        counters.rows_unchanged,
        counters.rows_duplicate,
        counters.rows_rejected,
        counters.rows_removed,
        counters.bytes_read,
    ]
    .map(stored);
    sqlx::query_file!(
        "sql/runs/complete_stage.sql",
        run_id,
        fence.stage,
        now,
        read,
        written,
        unchanged,
        duplicate,
        rejected,
        removed,
        bytes,
        remarks
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

/// The counters of a run's stages that have succeeded.
pub(crate) async fn finished_stages(
    connection: &mut SqliteConnection,
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
    connection: &mut SqliteConnection,
    run_id: Uuid,
    state: RunState,
    unfinished: StageState,
    now: DateTime<Utc>,
) -> Result<()> {
    let (id, state, unfinished) = (run_id.to_string(), state.as_str(), unfinished.as_str());
    sqlx::query!("UPDATE pipeline_runs SET state = ?2, ended_at = ?3 WHERE run_id = ?1", id, state, now)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    sqlx::query!(
        "UPDATE pipeline_run_stages SET state = ?2, ended_at = ?3
         WHERE run_id = ?1 AND state IN ('PENDING', 'RUNNING')",
        id,
        unfinished,
        now
    )
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

fn millis(duration: Duration) -> i64 {
    stored(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
