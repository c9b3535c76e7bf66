//! Attempts a stage until one succeeds or none can.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::{AlertCause, Counters, StageState, trend::SlowExecution};
use runtime::Channel;
use telemetry::{spans::LOG_ONLY, trace_context::SpanIdentity};
use tokio::time::Instant;
use tonic::Code;
use tracing::{Instrument, error, info, info_span, warn};
use warehouse::{Fence, NewAlert, Run, RunStage, StageFailure};

use crate::{
    error::Error,
    executor::{RunExecutor, retried},
    run_trace::{EndedAttempt, RunTrace},
    stage_call::{self, AttemptFailure},
};

/// The outcome of an attempt.
enum Attempted {
    /// The stage is committed.
    Succeeded,
    /// It failed, and no attempt follows.
    Failed,
    /// It failed; another attempt follows after this wait.
    RetryAfter(Duration),
    /// It was cut off, which does not count as a failure; another attempt follows.
    Interrupted,
}

/// Attempts of a stage that were cut off.
#[derive(Debug, Default)]
struct Interruptions {
    first: Option<Instant>,
    count: u32,
}

impl Interruptions {
    /// Whether one more is free. A service that dies of the stage itself must not be called forever.
    fn are_free_for(&self, patience: Duration) -> bool {
        self.first.is_none_or(|first| first.elapsed() < patience)
    }

    /// Counts one more; returns how many there are.
    fn count(&mut self) -> u32 {
        self.first.get_or_insert_with(Instant::now);
        self.count += 1;
        self.count
    }
}

impl RunExecutor {
    /// Attempts a stage until it succeeds or fails for good, or until shutdown
    /// begins between two attempts; the store then shows which.
    pub(crate) async fn run_stage(&self, run: &Run, stage: RunStage) -> Result<(), Error> {
        let mut failures = stage.failures;
        let mut interruptions = Interruptions::default();
        while !self.shutdown.is_cancelled() {
            // No attempt begins before the service is reachable.
            let connected = tokio::select! {
                connected = self.connect(run, &stage) => connected,
                () = self.shutdown.cancelled() => return Ok(()),
            };
            let started_at = self.clock.now();
            let fence =
                retried(|| self.runs.begin_stage(run.run_id, run.lease_epoch, &stage.stage, started_at))
                    .await?;
            self.board.changed(run.run_id, Some(&stage.stage));
            let trace = RunTrace::of(run);
            let may_interrupt = interruptions.are_free_for(self.connect_timeout);
            let attempt = self.attempt(run, &stage, &fence, connected, started_at, failures, may_interrupt);
            let attempted = match trace.map(|trace| trace.attempt(&stage.stage, fence.attempt)) {
                Some(span) => span.around(attempt.instrument(log_span(run, &fence, &span))).await?,
                None => attempt.await?,
            };
            let wait = match attempted {
                Attempted::Succeeded | Attempted::Failed => return Ok(()),
                Attempted::RetryAfter(wait) => {
                    failures += 1;
                    wait
                }
                Attempted::Interrupted => {
                    let backoff = self.pipeline.limits(&stage.stage).retry.backoff;
                    backoff.delay(interruptions.count())
                }
            };
            self.board.postpone(run.run_id, &stage.stage, self.clock.now() + wait);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => {}
            }
            self.board.end_postponement(run.run_id, &stage.stage);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what one attempt knows of the ones before it")]
    /// One attempt, from its call to its record in the store and the trace. An
    /// attempt dropped halfway leaves both to the next holder.
    async fn attempt(
        &self,
        run: &Run,
        stage: &RunStage,
        fence: &Fence,
        connected: Result<Channel, AttemptFailure>,
        started_at: DateTime<Utc>,
        failures: u32,
        may_interrupt: bool,
    ) -> Result<Attempted, Error> {
        let limits = self.pipeline.limits(&stage.stage);
        let called = match connected {
            Ok(channel) => self.call(run, stage, fence, channel, limits.timeout).await,
            Err(failure) => Err(failure),
        };
        let failure = match self.confirm(fence, called).await? {
            Ok(counters) => {
                self.report_success(run, fence, started_at, counters).await;
                return Ok(Attempted::Succeeded);
            }
            Err(failure) => failure,
        };
        let failure = AttemptFailure { is_interruption: failure.is_interruption && may_interrupt, ..failure };
        let next = limits.retry.next_attempt_after(
            failure.is_transient,
            failures + 1,
            failure.retry_after,
            limits.timeout,
        );
        let wait = if failure.is_interruption { Some(Duration::ZERO) } else { next };
        if let Some(committed) = self.record_failure(run, fence, &failure, wait).await? {
            self.report_success(run, fence, started_at, committed).await;
            return Ok(Attempted::Succeeded);
        }
        let (code, ended_at) = (contract::code_name(failure.code), self.clock.now());
        report_attempt(run, fence, (started_at, ended_at), Err((code, &failure.message)), None);
        Ok(match wait {
            Some(_) if failure.is_interruption => Attempted::Interrupted,
            Some(wait) => Attempted::RetryAfter(wait),
            None => Attempted::Failed,
        })
    }

    async fn report_success(&self, run: &Run, fence: &Fence, started_at: DateTime<Utc>, counters: Counters) {
        let ended_at = self.clock.now();
        let took = (ended_at - started_at).to_std().unwrap_or_default();
        let slow = self.judge(run, &fence.stage, took, counters).await;
        report_attempt(run, fence, (started_at, ended_at), Ok(counters), slow);
    }

    /// Connects to the stage's service; while it waits, the run shows that.
    async fn connect(&self, run: &Run, stage: &RunStage) -> Result<Channel, AttemptFailure> {
        let (run_id, service) = (run.run_id, stage.service.as_str());
        let Some(found) = self.services.get(service) else {
            return Err(AttemptFailure::lasting(
                Code::FailedPrecondition,
                format!("there is no endpoint for the service {service:?} that the run was created with"),
            ));
        };
        let report = |problem: &str| {
            warn!(%run_id, stage = %stage.stage, service, problem, "waiting for a connection to the service");
            self.board.wait(run_id, &stage.stage, self.clock.now());
        };
        let connected = found.connect(self.connect_timeout, report).await;
        self.board.end_wait(run_id, &stage.stage);
        connected.map_err(|gone| {
            let waited = humantime::format_duration(self.connect_timeout);
            let problem = gone.problem;
            AttemptFailure::lasting(
                Code::Unavailable,
                format!(
                    "{service} could not be reached for {waited}: {problem}; once it runs, retry the run"
                ),
            )
        })
    }

    async fn call(
        &self,
        run: &Run,
        stage: &RunStage,
        fence: &Fence,
        channel: Channel,
        timeout: Duration,
    ) -> Result<Counters, AttemptFailure> {
        let service = stage.service.as_str();
        info!(run_id = %run.run_id, stage = %stage.stage, attempt = fence.attempt, "stage started");
        let on_progress = |progress| self.board.report(run.run_id, &stage.stage, progress);
        stage_call::execute(channel, service, stage_call::request(run, fence), timeout, on_progress).await
    }

    /// Trusts a success only once the store has it: dependent stages read the
    /// stage's data, not its answer.
    async fn confirm(
        &self,
        fence: &Fence,
        attempt: Result<Counters, AttemptFailure>,
    ) -> Result<Result<Counters, AttemptFailure>, Error> {
        let counters = match attempt {
            Ok(counters) => counters,
            Err(failure) => return Ok(Err(failure)),
        };
        let Fence { run_id, stage, attempt, .. } = fence;
        if self.committed(fence).await?.is_none() {
            let message = "the service reported a result, but did not commit the stage".to_owned();
            return Ok(Err(AttemptFailure::lasting(Code::Internal, message)));
        }
        self.board.changed(*run_id, Some(stage));
        info!(
            %run_id,
            %stage,
            attempt,
            rows_read = counters.rows_read,
            rows_written = counters.rows_written,
            rows_rejected = counters.rows_rejected,
            "stage SUCCEEDED"
        );
        Ok(Ok(counters))
    }

    /// What the attempt committed, if it did.
    async fn committed(&self, fence: &Fence) -> Result<Option<Counters>, Error> {
        let run = self.reload(fence.run_id).await?;
        let committed = run.stages.iter().find(|stage| {
            stage.stage == fence.stage
                && stage.attempt == fence.attempt
                && stage.state == StageState::Succeeded
        });
        Ok(committed.map(|stage| stage.counters))
    }

    /// Records a failed attempt, with the alert if it is final. Returns what
    /// the stage committed after all: a connection can break between the last
    /// transaction and its answer, and only the store can tell.
    async fn record_failure(
        &self,
        run: &Run,
        fence: &Fence,
        failure: &AttemptFailure,
        wait: Option<Duration>,
    ) -> Result<Option<Counters>, Error> {
        let record = StageFailure {
            code: contract::code_name(failure.code).to_owned(),
            message: failure.message.clone(),
            will_retry: wait.is_some(),
            is_interruption: failure.is_interruption,
        };
        let now = self.clock.now();
        let alert = wait.is_none().then(|| alert(run, fence, &record, now));
        let recorded = retried(|| self.runs.fail_stage(fence, &record, alert.as_ref(), now)).await;
        let Fence { run_id, stage, attempt, .. } = fence;
        match recorded {
            Ok(()) => {}
            Err(error) => {
                let fenced = matches!(error, warehouse::Error::Fenced { .. });
                let committed = if fenced { self.committed(fence).await? } else { None };
                let Some(counters) = committed else { return Err(error.into()) };
                self.board.changed(*run_id, Some(stage));
                info!(%run_id, %stage, attempt, lost = %failure.message, "stage SUCCEEDED, its answer was lost");
                return Ok(Some(counters));
            }
        }
        self.board.changed(*run_id, Some(stage));
        let StageFailure { code, message, .. } = &record;
        if failure.is_interruption {
            warn!(%run_id, %stage, attempt, %code, error = %message, "stage attempt was cut off, will be made again");
        } else if let Some(wait) = wait {
            warn!(%run_id, %stage, attempt, %code, error = %message, ?wait, "stage attempt failed, will be retried");
        } else {
            error!(%run_id, %stage, attempt, %code, error = %message, "stage FAILED");
            self.alert_written.notify_one();
        }
        Ok(None)
    }
}

/// Records an attempt in the run's trace.
fn report_attempt(
    run: &Run,
    fence: &Fence,
    (started_at, ended_at): (DateTime<Utc>, DateTime<Utc>),
    outcome: Result<Counters, (&str, &str)>,
    slow: Option<SlowExecution>,
) {
    let Fence { stage, attempt, .. } = fence;
    if let Some(trace) = RunTrace::of(run) {
        trace.record_attempt(&EndedAttempt { stage, attempt: *attempt, started_at, ended_at, outcome, slow });
    }
}

/// The attempt's fields on log lines. This is not a span of the trace: the
/// attempt's own span is recorded once it has ended.
fn log_span(run: &Run, fence: &Fence, span: &SpanIdentity) -> tracing::Span {
    info_span!(
        target: LOG_ONLY,
        "stage",
        pipeline.run_id = %run.run_id,
        pipeline.stage = fence.stage,
        pipeline.attempt = fence.attempt,
        trace_id = span.trace_id(),
        span_id = span.span_id(),
    )
}

fn alert(
    run: &Run,
    fence: &Fence,
    failure: &StageFailure,
    failed_at: chrono::DateTime<chrono::Utc>,
) -> NewAlert {
    NewAlert {
        cause: AlertCause::StageFailed,
        alert_key: format!("{}/{}/{}", fence.run_id, fence.stage, fence.attempt),
        pipeline: run.pipeline.clone(),
        stage: fence.stage.clone(),
        attempt: fence.attempt,
        error_code: failure.code.clone(),
        error_message: failure.message.clone(),
        run_id: fence.run_id,
        business_date: run.window.end(),
        failed_at,
    }
}
