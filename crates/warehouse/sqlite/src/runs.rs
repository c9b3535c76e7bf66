//! Runs and stages as rows, and the lease on a run.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, RunState, StageState, trend::StageExecution};
use serde_json::json;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::{
    CreatedRun, CutOff, Delivered, Error, Fence, Horizon, LeaseState, NewAlert, NewRun, Run, RunCursor,
    RunQuery, RunReader, RunStore, StageCompletion, StageFailure, TakenUp,
    engine::{
        RunChoice, RunLookup, balanced, choose_run, corrupt, counted, scheduled_from, stored, stored_millis,
    },
};

use crate::{
    alerts,
    database::SqliteWarehouse,
    fault::Result,
    fence, publish, replays,
    run_choice::Runs,
    run_rows::{self, find, load, parse_id},
};

#[async_trait]
impl RunReader for SqliteWarehouse {
    async fn run(&self, run_id: Uuid) -> Result<Option<Run>, Error> {
        self.read(async |connection| find(connection, run_id).await).await
    }

    async fn runs(&self, query: &RunQuery, limit: u32) -> Result<Vec<Run>, Error> {
        let states: serde_json::Value = query.states.iter().map(|state| state.as_str()).collect();
        let triggers: serde_json::Value = query.triggers.iter().map(|trigger| trigger.as_str()).collect();
        let after = query.after.map(|RunCursor(run_id)| run_id.hyphenated());
        let (start, end) = query.days.map(|days| (days.start(), days.end())).unzip();
        self.read(async |connection| {
            let ids = sqlx::query_file_scalar!(
                "sql/runs/list.sql",
                states.to_string(),
                triggers.to_string(),
                start,
                end,
                after,
                limit
            );
            let mut runs = Vec::new();
            for id in ids.fetch_all(&mut *connection).await? {
                runs.push(load(connection, parse_id(&id)?).await?);
            }
            Ok(runs)
        })
        .await
    }

    async fn active_runs(&self, pipeline: &str, limit: u32) -> Result<Vec<Uuid>, Error> {
        self.once(async |connection| {
            let ids = sqlx::query_file_scalar!("../sql/runs/active_ids.sql", pipeline, limit);
            ids.fetch_all(connection).await?.iter().map(|id| parse_id(id)).collect()
        })
        .await
    }

    async fn scheduled_from(
        &self,
        pipeline: &str,
        through: NaiveDate,
        horizon: Horizon,
    ) -> Result<NaiveDate, Error> {
        self.read(async |connection| scheduled_from(&mut Runs(connection), pipeline, through, horizon).await)
            .await
    }

    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>, Error> {
        let (start, end) = (window.start(), window.end());
        self.once(async |connection| {
            let days = sqlx::query_file_scalar!("sql/runs/failed_days.sql", pipeline, start, end);
            Ok(days.fetch_all(connection).await?)
        })
        .await
    }

    async fn recent_executions(
        &self,
        run: &Run,
        stage: &str,
        limit: u32,
    ) -> Result<Vec<StageExecution>, Error> {
        let run_id = run.run_id.hyphenated();
        let to_last_day = (run.window.end() - run.window.start()).num_days();
        self.once(async |connection| {
            let rows = sqlx::query_file!(
                "sql/runs/recent_executions.sql",
                run_id,
                run.pipeline,
                to_last_day,
                stage,
                limit
            );
            let executions = rows.fetch_all(connection).await?.into_iter().map(|row| {
                // The clocks of two hosts may differ.
                let took = (row.ended_at - row.started_at).to_std().unwrap_or_default();
                Ok(StageExecution { day: row.day, took, rows: counted(row.rows_read)? })
            });
            executions.collect()
        })
        .await
    }
}

#[async_trait]
impl StageCompletion for SqliteWarehouse {
    async fn check_fence(&self, fence: &Fence) -> Result<(), Error> {
        self.read(async |connection| fence::check(connection, fence).await).await
    }

    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.write(async |connection| {
            fence::check(connection, fence).await?;
            complete_stage(connection, fence, counters, remarks, now).await
        })
        .await
    }

    async fn answer_replay(
        &self,
        fence: &Fence,
        delivered: Delivered<'_>,
        asked_until: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.write(async |connection| {
            fence::check(connection, fence).await?;
            replays::answer(connection, delivered, asked_until).await
        })
        .await
    }
}

#[async_trait]
impl RunStore for SqliteWarehouse {
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun, Error> {
        self.write(async |connection| {
            let window = match choose_run(&mut Runs(connection), &new).await? {
                RunChoice::Found(run) => return Ok(CreatedRun { run: *run, created: false }),
                RunChoice::Create(window) => window,
            };
            run_rows::insert(connection, &new, window).await?;
            Ok(CreatedRun { run: load(connection, new.run_id).await?, created: true })
        })
        .await
    }

    async fn acquire_run(
        &self,
        pipeline: &str,
        holder: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>, Error> {
        // Polled every second: with nothing to do, it must not block a writer.
        if self.read(async |reader| acquire_candidate(reader, pipeline, holder).await).await?.is_none() {
            return Ok(None);
        }
        self.write(async |connection| {
            let candidate = acquire_candidate(connection, pipeline, holder).await?;
            let Some(id) = candidate else { return Ok(None) };
            let run_id = parse_id(&id)?;
            let is_resumed = load(connection, run_id).await?.state == RunState::Running;
            sqlx::query_file!("sql/runs/take_up.sql", id, holder, stored_millis(ttl), now)
                .execute(&mut *connection)
                .await?;
            let interrupted = interrupt(connection, run_id, CutOff::TakenOver, now).await?;
            Ok(Some(TakenUp { run: load(connection, run_id).await?, is_resumed, interrupted }))
        })
        .await
    }

    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState, Error> {
        self.write(async |connection| {
            let (id, ttl) = (run_id.hyphenated(), stored_millis(ttl));
            let renewal = sqlx::query_file!("sql/runs/renew_lease.sql", id, epoch, ttl);
            if renewal.execute(&mut *connection).await?.rows_affected() > 0 {
                return Ok(LeaseState::Held);
            }
            Ok(load(connection, run_id).await?.without_lease())
        })
        .await
    }

    async fn release_lease(&self, run_id: Uuid, epoch: i64) -> Result<(), Error> {
        self.write(async |connection| {
            let release = sqlx::query_file!("sql/runs/release_lease.sql", run_id.hyphenated(), epoch);
            release.execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn begin_stage(
        &self,
        run_id: Uuid,
        epoch: i64,
        stage: &str,
        now: DateTime<Utc>,
    ) -> Result<Fence, Error> {
        self.write(async |connection| {
            let id = run_id.hyphenated();
            let attempt = sqlx::query_file_scalar!("sql/runs/begin_stage.sql", id, epoch, stage, now);
            let attempt = attempt.fetch_optional(connection).await?;
            let attempt = attempt.map(u32::try_from).transpose().map_err(corrupt)?;
            Ok(Fence::begun(run_id, epoch, stage, attempt)?)
        })
        .await
    }

    async fn fail_stage(
        &self,
        fence: &Fence,
        failure: &StageFailure,
        alert: Option<&NewAlert>,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.write(async |connection| {
            fence::check(connection, fence).await?;
            sqlx::query_file!(
                "../sql/runs/fail_stage.sql",
                fence.run_id.hyphenated(),
                fence.stage,
                now,
                failure.state().as_str(),
                failure.code,
                failure.message,
                i64::from(!failure.is_interruption)
            )
            .execute(&mut *connection)
            .await?;
            sqlx::query_file!(
                "../sql/runs/record_attempt.sql",
                fence.run_id.hyphenated(),
                fence.stage,
                now,
                failure.code,
                failure.message,
                failure.is_interruption
            )
            .execute(&mut *connection)
            .await?;
            if let Some(alert) = alert {
                alerts::enqueue(connection, alert).await?;
            }
            Ok(())
        })
        .await
    }

    async fn finish_run(&self, run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> Result<RunState, Error> {
        self.write(async |connection| {
            let state = load(connection, run_id).await?.final_state(epoch)?;
            end_run(connection, run_id, state, StageState::Skipped, now).await?;
            Ok(state)
        })
        .await
    }

    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run, Error> {
        self.write(async |connection| {
            let run = load(connection, run_id).await?;
            if !run.needs_cancelling()? {
                return Ok(run);
            }
            interrupt(connection, run_id, CutOff::Cancelled, now).await?;
            end_run(connection, run_id, RunState::Cancelled, StageState::Cancelled, now).await?;
            load(connection, run_id).await
        })
        .await
    }

    async fn retry_run(&self, run_id: Uuid, traceparent: Option<&str>) -> Result<Run, Error> {
        self.write(async |connection| {
            let run = load(connection, run_id).await?;
            run.check_retryable()?;
            let active = Runs(connection).active_over(&run.pipeline, run.window, run.trigger).await?;
            run.check_retryable_beside(active)?;
            let id = run_id.hyphenated();
            sqlx::query_file!("../sql/runs/requeue_run.sql", id, traceparent)
                .execute(&mut *connection)
                .await?;
            let has_usage = has_staged_days(connection, run.usage_days()).await?;
            let has_candidates = publish::has_current_build(connection, run_id).await?;
            let lost = json!(run.lost_stages(has_usage, has_candidates)).to_string();
            sqlx::query_file!("sql/runs/reopen_stages.sql", id, lost).execute(&mut *connection).await?;
            load(connection, run_id).await
        })
        .await
    }
}

/// Returns the stages that are RUNNING to PENDING, records their attempts as cut off, and names
/// them.
async fn interrupt(
    connection: &mut SqliteConnection,
    run_id: Uuid,
    why: CutOff,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let interrupted = sqlx::query_file_scalar!("../sql/runs/interrupt_stages.sql", run_id.hyphenated())
        .fetch_all(&mut *connection)
        .await?;
    for stage in &interrupted {
        sqlx::query_file!(
            "../sql/runs/record_attempt.sql",
            run_id.hyphenated(),
            stage,
            now,
            why.code(),
            why.message(),
            true
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(interrupted)
}

async fn acquire_candidate(
    connection: &mut SqliteConnection,
    pipeline: &str,
    holder: &str,
) -> Result<Option<String>> {
    let candidate = sqlx::query_file_scalar!("sql/runs/acquire_candidate.sql", pipeline, holder);
    Ok(candidate.fetch_optional(connection).await?)
}

/// Whether the usage of all days is staged, or nothing is staged at all: days may have
/// been forgotten since the run staged them.
async fn has_staged_days(connection: &mut SqliteConnection, days: DateWindow) -> Result<bool> {
    let staged = sqlx::query_file_scalar!("sql/runs/has_staged_days.sql", days.start(), days.end());
    Ok(staged.fetch_one(connection).await?)
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
    let counters = balanced(counters)?;
    sqlx::query_file!(
        "../sql/runs/complete_stage.sql",
        fence.run_id.hyphenated(),
        fence.stage,
        now,
        stored(counters.rows_read),
        stored(counters.rows_written),
        stored(counters.rows_unchanged),
        stored(counters.rows_duplicate),
        stored(counters.rows_rejected),
        stored(counters.rows_removed),
        stored(counters.bytes_read),
        json!(remarks).to_string()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a run, and its unfinished stages.
async fn end_run(
    connection: &mut SqliteConnection,
    run_id: Uuid,
    state: RunState,
    unfinished: StageState,
    now: DateTime<Utc>,
) -> Result<()> {
    let (id, state, unfinished) = (run_id.hyphenated(), state.as_str(), unfinished.as_str());
    sqlx::query!("UPDATE pipeline_runs SET state = $2, ended_at = $3 WHERE run_id = $1", id, state, now)
        .execute(&mut *connection)
        .await?;
    sqlx::query_file!("../sql/runs/end_stages.sql", id, unfinished, now).execute(connection).await?;
    Ok(())
}
