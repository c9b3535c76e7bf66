//! Runs and stages as rows, and the lease that says who may advance them.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Counters, DateWindow, RunState, RunTrigger, StageState, trend::StageExecution};
use uuid::Uuid;

use crate::{
    alerts::NewAlert,
    attempts::StageAttempt,
    error::{Error, Result},
    fence::Fence,
    horizon::Horizon,
    quarantine::Delivered,
};

/// Which days a new run covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowChoice {
    /// Exactly these days.
    Days(DateWindow),
    /// From the first gap in the published days within the horizon up to `through`;
    /// only `through` if nothing is published there yet.
    Unpublished {
        /// The last day.
        through: NaiveDate,
        /// How far back to look for gaps.
        horizon: Horizon,
    },
}

/// A run to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id, if it is created.
    pub run_id: Uuid,
    /// The pipeline's name.
    pub pipeline: String,
    /// Which days to cover.
    pub window: WindowChoice,
    /// What causes it.
    pub trigger: RunTrigger,
    /// Whether to create it even if the window has already succeeded.
    pub force: bool,
    /// Days of the window whose answer a person has declared right, however little it
    /// holds.
    pub accept_empty_days: BTreeSet<NaiveDate>,
    /// Published days of the window of which every company is computed, and written where it differs.
    pub rebuild_days: BTreeSet<NaiveDate>,
    /// The stages in the order of the pipeline file.
    pub stages: Vec<NewStage>,
    /// Who asks for it.
    pub requested_by: String,
    /// The W3C traceparent of the run's trace.
    pub traceparent: Option<String>,
    /// When it is created.
    pub created_at: DateTime<Utc>,
}

impl NewRun {
    /// Whether a succeeded run over the same days makes this one unnecessary. Accepting
    /// or rebuilding days means: run again, and do so this time.
    #[must_use]
    pub fn is_content_with_success(&self) -> bool {
        !self.force && self.accept_empty_days.is_empty() && self.rebuild_days.is_empty()
    }

    /// Checks that the accepted days and those to rebuild are days of the run.
    ///
    /// # Errors
    /// [`Error::Precondition`] that names the first other day.
    pub fn check_days(&self, window: DateWindow) -> Result<()> {
        for (days, flag) in
            [(&self.accept_empty_days, "--accept-empty {day}"), (&self.rebuild_days, "--rebuild")]
        {
            if let Some(day) = days.iter().find(|day| !window.contains(**day)) {
                let flag = flag.replace("{day}", &day.to_string());
                return Err(Error::Precondition(format!(
                    "{day} is not among the days of the run, {window}: name the days to run, for example \
                     `activityctl trigger --date {day} {flag}`"
                )));
            }
        }
        Ok(())
    }

    /// Checks that an active run over the same days can stand in for this one.
    ///
    /// # Errors
    /// [`Error::Precondition`] if it does not do what this one would: what a run was asked
    /// for is fixed.
    pub fn check_active(&self, active: &Run) -> Result<()> {
        let lacking = if !self.accept_empty_days.is_subset(&active.accept_empty_days) {
            "was not asked to accept empty days"
        } else if !self.rebuild_days.is_subset(&active.rebuild_days) {
            "was not asked to rebuild these days"
        } else if self.asks_more_than(active) {
            "was asked to rebuild what is staged, without the sources"
        } else {
            return Ok(());
        };
        let run_id = active.run_id;
        Err(Error::Precondition(format!(
            "run {run_id} over these days is {} and {lacking}: wait until it has ended, or cancel it with \
             `activityctl cancel {run_id}`, and ask again",
            active.state
        )))
    }

    /// Whether the active run rebuilds days without stages that this one has. Any other run has all
    /// stages of the pipeline file as it was then.
    fn asks_more_than(&self, active: &Run) -> bool {
        let has = |stage: &NewStage| active.stages.iter().any(|found| found.stage == stage.stage);
        !active.rebuild_days.is_empty() && !self.stages.iter().all(has)
    }
}

/// A stage of a run to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStage {
    /// The stage's name.
    pub stage: String,
    /// The service that executes it.
    pub service: String,
    /// The stages that it waits for.
    pub depends_on: Vec<String>,
}

/// A requested run.
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
    /// Days whose answer a person has declared right, however little it holds. Kept
    /// across retries and takeovers.
    pub accept_empty_days: BTreeSet<NaiveDate>,
    /// Days of which every company is computed, and written where it differs. Kept across
    /// retries and takeovers.
    pub rebuild_days: BTreeSet<NaiveDate>,
    /// Who asked for it; `None` if a program created it that did not know yet.
    pub requested_by: Option<String>,
    /// The run's state.
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
    /// The stages that it waits for.
    pub depends_on: Vec<String>,
    /// Its state.
    pub state: StageState,
    /// The newest attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Failed attempts, without interrupted ones.
    pub failures: u32,
    /// When the newest attempt started.
    pub started_at: Option<DateTime<Utc>>,
    /// When the stage ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What it committed; zero before that.
    pub counters: Counters,
    /// Remarks for people, apart from failures.
    pub remarks: Vec<String>,
    /// The newest failed attempt's status code, by name.
    pub error_code: Option<String>,
    /// The message of the newest failed attempt.
    pub error_message: Option<String>,
    /// The attempts that have ended without success, in order, the newest one among them; the
    /// last [`EARLIER_ATTEMPTS`](crate::EARLIER_ATTEMPTS) at most.
    pub earlier_attempts: Vec<StageAttempt>,
}

impl RunStage {
    /// Whether an attempt may be on record as one that did not succeed.
    #[must_use]
    pub fn may_have_failed(&self) -> bool {
        match self.attempt {
            0 => false,
            1 => !matches!(self.state, StageState::Running | StageState::Succeeded),
            _ => true,
        }
    }
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    /// The gRPC status code's name, for example `UNAVAILABLE`.
    pub code: String,
    /// The error message.
    pub message: String,
    /// Whether the stage returns to PENDING for another attempt, rather than to FAILED.
    pub will_retry: bool,
    /// Whether the attempt was interrupted rather than failed by itself: it does not
    /// count as a failure.
    pub is_interruption: bool,
}

/// A run taken up by a coordinator.
#[derive(Debug, Clone, PartialEq)]
pub struct TakenUp {
    /// The run.
    pub run: Run,
    /// Whether a previous holder executed it before and disappeared.
    pub is_resumed: bool,
    /// The stages that were RUNNING then and start over.
    pub interrupted: Vec<String>,
}

/// Whether a lease is still held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// The lease was renewed.
    Held,
    /// The run has ended or was cancelled.
    Ended(RunState),
    /// Another holder has the run now.
    Lost,
}

/// A page of runs starts after this run, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunCursor(pub Uuid);

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    /// Only runs in these states; empty: all.
    pub states: Vec<RunState>,
    /// Only runs with these causes; empty: all.
    pub triggers: Vec<RunTrigger>,
    /// Only runs over at least one of these days.
    pub days: Option<DateWindow>,
    /// Only runs after this one.
    pub after: Option<RunCursor>,
}

/// Runs, as they stand.
#[async_trait]
pub trait RunReader: Send + Sync {
    /// One run, if the id exists.
    async fn run(&self, run_id: Uuid) -> Result<Option<Run>>;

    /// Up to `limit` runs, the newest first.
    async fn runs(&self, query: &RunQuery, limit: u32) -> Result<Vec<Run>>;

    /// Up to `limit` runs of the pipeline that have not ended: those that are executed, then the
    /// others in their turn.
    async fn active_runs(&self, pipeline: &str, limit: u32) -> Result<Vec<Uuid>>;

    /// The first day of the run that [`WindowChoice::Unpublished`] leads to, were none active;
    /// `through` itself if no day before it waits.
    async fn scheduled_from(&self, pipeline: &str, through: NaiveDate, horizon: Horizon)
    -> Result<NaiveDate>;

    /// The days of `window` that a backfill has to redo, in order: those whose newest
    /// run of the pipeline FAILED or was CANCELLED.
    async fn failed_days(&self, pipeline: &str, window: DateWindow) -> Result<Vec<NaiveDate>>;

    /// Executions to compare `run` with: up to `limit` successful ones of the stage in
    /// earlier runs of its pipeline over as many days, the newest first.
    async fn recent_executions(&self, run: &Run, stage: &str, limit: u32) -> Result<Vec<StageExecution>>;
}

/// What a stage may do to its own attempt, and no other.
#[async_trait]
pub trait StageCompletion: Send + Sync {
    /// Checks a fence outside any data transaction, for work that must not begin
    /// without it. Methods that change data check it again, in their own transactions.
    async fn check_fence(&self, fence: &Fence) -> Result<()>;

    /// Commits a RUNNING stage as SUCCEEDED. Services whose work does not end in a data
    /// transaction of its own call this at the end.
    async fn complete_stage(
        &self,
        fence: &Fence,
        counters: Counters,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Answers the request to load a delivery
    /// [again](crate::QuarantineStore::request_replay) that was refused before a load could
    /// judge it: what was loaded of it stays. A request later than `asked_until` stays, too.
    async fn answer_replay(
        &self,
        fence: &Fence,
        delivered: Delivered<'_>,
        asked_until: DateTime<Utc>,
    ) -> Result<()>;
}

/// Runs and stages as rows. Ids are UUIDv7, so they sort by creation.
#[async_trait]
pub trait RunStore: RunReader {
    /// Creates a run, or finds one that makes it unnecessary, in one transaction: an
    /// active run over the same window; unless forced or given days to accept or rebuild, also
    /// a succeeded one whose days are still published. For [`WindowChoice::Unpublished`]
    /// also an active run that ends on `through`, and, once `through` is published, the
    /// run that published it. A run that takes days back never makes one that publishes
    /// them unnecessary, nor the other way round.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if it accepts or rebuilds days
    /// outside the window, or days that an active run over it does not.
    async fn create_run(&self, new: NewRun) -> Result<CreatedRun>;

    /// Takes up a run of the pipeline: first a running one whose lease has expired or
    /// is `holder`'s own, then the oldest queued one; none while someone else's live
    /// lease holds another run of the pipeline. Raises the run's epoch, and returns
    /// stages that an earlier holder left RUNNING to PENDING, whose attempts it records as
    /// interrupted.
    async fn acquire_run(
        &self,
        pipeline: &str,
        holder: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenUp>>;

    /// Extends the lease of a run by `ttl` from now, on the database's clock.
    async fn renew_lease(&self, run_id: Uuid, epoch: i64, ttl: Duration) -> Result<LeaseState>;

    /// Releases a lease, so that the next coordinator can take the run up at once.
    /// Harmless if it is no longer held at `epoch`.
    async fn release_lease(&self, run_id: Uuid, epoch: i64) -> Result<()>;

    /// Starts the next attempt of a PENDING stage whose dependencies have all
    /// succeeded, and returns its fence.
    ///
    /// # Errors
    /// [`Error::Fenced`](crate::Error::Fenced) if the run is not held at `epoch` or the
    /// stage may not start.
    async fn begin_stage(&self, run_id: Uuid, epoch: i64, stage: &str, now: DateTime<Utc>) -> Result<Fence>;

    /// Ends a RUNNING attempt as failed, records it, and writes `alert`, if any, to the outbox in
    /// the same transaction.
    async fn fail_stage(
        &self,
        fence: &Fence,
        failure: &StageFailure,
        alert: Option<&NewAlert>,
        now: DateTime<Utc>,
    ) -> Result<()>;

    /// Ends a run held at `epoch` when no stage is RUNNING: SUCCEEDED if every stage
    /// is, else FAILED with the PENDING ones SKIPPED.
    async fn finish_run(&self, run_id: Uuid, epoch: i64, now: DateTime<Utc>) -> Result<RunState>;

    /// Cancels a run that has not ended, with all its unfinished stages; from then on its
    /// fences are refused. Cancelling it again is harmless.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if it has succeeded or failed.
    async fn cancel_run(&self, run_id: Uuid, now: DateTime<Utc>) -> Result<Run>;

    /// Queues a failed or cancelled run again; stages that did not succeed start over,
    /// succeeded ones stay. If its candidates may be gone, the build starts over as
    /// well. Its trace continues at `traceparent`.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if it is active or has
    /// succeeded, or another run over the same window is active.
    async fn retry_run(&self, run_id: Uuid, traceparent: Option<&str>) -> Result<Run>;
}
