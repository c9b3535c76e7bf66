//! Runs and stages as rows, and the lease that says who may advance them.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, RunState, RunTrigger, StageState, trend::StageExecution};
use uuid::Uuid;

use crate::{Fence, NewAlert, Result};

/// Which days a new run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowChoice {
    /// Exactly these.
    Days(DateWindow),
    /// From the first day after the oldest published one that is not published,
    /// up to `through`; just `through` if nothing is published yet.
    Unpublished {
        /// The last day.
        through: NaiveDate,
    },
}

/// A run to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// The id it gets, if it is created.
    pub run_id: Uuid,
    /// The pipeline's name.
    pub pipeline: String,
    /// Which days to cover.
    pub window: WindowChoice,
    /// What causes it.
    pub trigger: RunTrigger,
    /// Create it even if the window has already succeeded.
    pub force: bool,
    /// The stages in the order of the pipeline file.
    pub stages: Vec<NewStage>,
    /// The W3C traceparent of its trace.
    pub traceparent: Option<String>,
    /// When it is created.
    pub created_at: DateTime<Utc>,
}

/// A stage of a run to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage {
    /// The stage's name.
    pub stage: String,
    /// The service that executes it.
    pub service: String,
    /// The stages it waits for.
    pub depends_on: Vec<String>,
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedRun {
    /// The run.
    pub run: Run,
    /// Whether this call created it, rather than found it.
    pub created: bool,
}

/// A run with its stages.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The id.
    pub run_id: Uuid,
    /// The pipeline's name.
    pub pipeline: String,
    /// The business days.
    pub window: DateWindow,
    /// What caused it.
    pub trigger: RunTrigger,
    /// Its state.
    pub state: RunState,
    /// How often the run was taken up.
    pub lease_epoch: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was first taken up.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The W3C traceparent of its trace, if it has one.
    pub traceparent: Option<String>,
    /// Its stages in the order of the pipeline file.
    pub stages: Vec<RunStage>,
}

/// A stage of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStage {
    /// The stage's name.
    pub stage: String,
    /// The service that executes it.
    pub service: String,
    /// The stages it waits for.
    pub depends_on: Vec<String>,
    /// Its state.
    pub state: StageState,
    /// The newest attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Attempts that failed, without those that were interrupted.
    pub failures: u32,
    /// When the newest attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the stage ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it committed; zero before.
    pub counters: Counters,
    /// Remarks for people that are no failure.
    pub remarks: Vec<String>,
    /// The status code's name of the newest failed attempt.
    pub error_code: Option<String>,
    /// The message of the newest failed attempt.
    pub error_message: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    /// The gRPC status code's name, for example `UNAVAILABLE`.
    pub code: String,
    /// The message.
    pub message: String,
    /// Whether the stage goes back to PENDING for another attempt, rather than
    /// to FAILED.
    pub will_retry: bool,
}

/// A run that was taken up.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenUp {
    /// The run.
    pub run: Run,
    /// Whether somebody executed it before and went away.
    pub is_resumed: bool,
    /// The stages that were RUNNING then, and start over.
    pub interrupted: Vec<String>,
}

/// Whether a lease is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Renewed.
    Held,
    /// The run has ended or was cancelled.
    Ended(RunState),
    /// Somebody else holds the run now.
    Lost,
}

/// Where a page of runs starts: after this run, in the order newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCursor(pub Uuid);

/// Runs and stages as rows. Ids are UUIDv7, so that they sort by creation.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Creates a run, or finds the one that makes it needless, in one transaction:
    /// an active run over the same window; unless forced, also a succeeded one.
    /// For [`WindowChoice::Unpublished`] also an active run that ends on
    /// `through`, and, once `through` is published, the run that published it.
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun>;

    /// One run, if there is one by that id.
    async fn run(&self, run_id: Uuid) -> Result<Option<Run>>;

    /// Up to `limit` runs, the newest first, only those in `states` unless empty.
    async fn runs(&self, states: &[RunState], after: Option<RunCursor>, limit: u32) -> Result<Vec<Run>>;

    /// The days of `window` that a backfill has to do over, in order: those whose
    /// newest run of the pipeline over them FAILED or was CANCELLED.
    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>>;

    /// What `run` may be compared with: up to `limit` executions of the stage that
    /// succeeded in earlier runs of its pipeline over as many days, the newest first.
    async fn recent_executions(&self, run: &Run, stage: &str, limit: u32) -> Result<Vec<StageExecution>>;

    /// Takes up a run of the pipeline: first one that is running under a lease
    /// that has expired or is `holder`'s own, then the oldest queued one; none
    /// while another run of the pipeline is held by a live lease of somebody
    /// else. Raises its epoch, and puts stages that an earlier holder left
    /// RUNNING back to PENDING.
    async fn acquire_run(
        &self,
        pipeline: &str,
        holder: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>>;

    /// Extends the lease of a run by `ttl` from now on the database's clock.
    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState>;

    /// Starts the next attempt of a PENDING stage whose dependencies have all
    /// succeeded, and returns the fence for it.
    ///
    /// # Errors
    /// [`Error::Fenced`](crate::Error::Fenced) if the run is not held at `epoch`
    /// or the stage may not start.
    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Result<Fence>;

    /// Checks a fence outside any data transaction, for work that must not begin
    /// without it. What changes data checks it again, in its own transaction.
    async fn check_fence(&self, fence: &Fence) -> Result<()>;

    /// Commits a RUNNING stage as SUCCEEDED. Services whose work has no last
    /// data transaction of its own call this at their end.
    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Ends a RUNNING attempt as failed; with `alert`, writes it to the outbox
    /// in the same transaction.
    async fn fail_stage(
        &self,
        fence: &Fence,
        failure: &StageFailure,
        alert: Option<&NewAlert>,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Ends a run that is held at `epoch` when no stage is RUNNING: SUCCEEDED
    /// if every stage is, else FAILED with the PENDING ones SKIPPED.
    async fn finish_run(&self, run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> Result<RunState>;

    /// Cancels a run that has not ended, with all its unfinished stages; from
    /// then on its fences are refused. Cancelling a cancelled run is harmless.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if it has succeeded or failed.
    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run>;

    /// Queues a failed or cancelled run again; stages that did not succeed
    /// start over, succeeded ones stay. If its candidates may be gone, the
    /// build starts over as well. `traceparent` is where its trace goes on.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if it is active or has
    /// succeeded, or another run over the same window is active.
    async fn retry_run(&self, run_id: Uuid, traceparent: Option<&str>) -> Result<Run>;
}
