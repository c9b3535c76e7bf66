//! Executes one run: every stage as soon as its dependencies have succeeded.
//!
//! Nothing that matters is kept in memory. The holder of the run's lease reads
//! the store and continues from there, so a restart, a takeover and a normal
//! start are the same.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use domain::{RunState, StageState};
use futures::{StreamExt, stream::FuturesUnordered};
use opentelemetry::KeyValue;
use runtime::Clock;
use telemetry::metrics;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;
use warehouse::{LeaseState, Run, RunStage, RunStore, TakenUp};

use crate::{
    error::Error, pipeline::Pipeline, progress::ProgressBoard, run_trace::RunTrace,
    stage_service::StageService,
};

/// Why the execution of a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Execution {
    /// The run has ended, here or by a cancellation.
    Ended(RunState),
    /// Another process may hold the run now.
    LeaseLost,
    /// The process is shutting down; the run continues after the restart.
    Interrupted,
}

/// Executes runs whose lease this process holds.
pub(crate) struct RunExecutor {
    pub(crate) pipeline: Arc<Pipeline>,
    /// The services that execute stages, by name.
    pub(crate) services: HashMap<String, StageService>,
    /// How long to wait for a connection to one of them.
    pub(crate) connect_timeout: Duration,
    pub(crate) runs: Arc<dyn RunStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: ProgressBoard,
    /// Notified when an alert is in the outbox.
    pub(crate) alert_written: Arc<Notify>,
    pub(crate) lease_ttl: Duration,
    /// Cancelled when nothing new may start.
    pub(crate) shutdown: CancellationToken,
    /// Cancelled when running work must stop.
    pub(crate) hard_stop: CancellationToken,
}

impl RunExecutor {
    /// Executes a run that was just acquired until it has ended, its lease is
    /// lost or the process must stop. Dropping the future, like every early
    /// end, closes the streams of running stages, which cancels them.
    ///
    /// # Errors
    /// If storage fails for longer than a moment.
    pub(crate) async fn execute(&self, taken: &TakenUp) -> Result<Execution, Error> {
        let run = &taken.run;
        self.report_interruption(taken);
        let execution = tokio::select! {
            // First, so that a stage cancelled by the same stop does not count as failed.
            biased;
            () = self.hard_stop.cancelled() => Ok(Execution::Interrupted),
            execution = self.advance(run) => execution,
            execution = self.keep_lease(run.run_id, run.lease_epoch) => Ok(execution),
        };
        self.board.end(run.run_id);
        if let Ok(Execution::Ended(state)) = execution {
            self.report_end(run.run_id, state).await;
        }
        match execution {
            Err(Error::Warehouse(error @ warehouse::Error::Fenced { .. })) => {
                info!(run_id = %run.run_id, reason = %error, "the run is no longer ours");
                Ok(Execution::LeaseLost)
            }
            execution => execution,
        }
    }

    /// Records the attempts that an earlier holder left unfinished.
    fn report_interruption(&self, taken: &TakenUp) {
        if taken.is_resumed {
            metrics::LEASE_TAKEOVERS.counter().add(1, &[]);
        }
        let Some(trace) = RunTrace::of(&taken.run) else { return };
        let interrupted = |stage: &&RunStage| taken.interrupted.contains(&stage.stage);
        for stage in taken.run.stages.iter().filter(interrupted) {
            trace.record_interrupted(stage, self.clock.now());
        }
    }

    /// Records a run that has ended. Telemetry must not fail a run: if the
    /// store cannot return the run, its trace lacks the first span.
    async fn report_end(&self, run_id: Uuid, state: RunState) {
        let outcome = KeyValue::new("outcome", state.as_str().to_ascii_lowercase());
        metrics::RUNS.counter().add(1, &[outcome]);
        match self.reload(run_id).await {
            Ok(run) => {
                if let Some(trace) = RunTrace::of(&run) {
                    trace.record_run();
                }
            }
            Err(error) => warn!(%run_id, %error, "the run's trace stays incomplete"),
        }
    }

    async fn advance(&self, acquired: &Run) -> Result<Execution, Error> {
        let mut in_flight = FuturesUnordered::new();
        let mut begun = HashSet::new();
        loop {
            let run = self.reload(acquired.run_id).await?;
            if run.state.is_terminal() {
                return Ok(Execution::Ended(run.state));
            }
            if run.lease_epoch != acquired.lease_epoch {
                return Ok(Execution::LeaseLost);
            }
            let ready = ready_stages(&run);
            if !self.shutdown.is_cancelled() {
                for stage in &ready {
                    if begun.insert(stage.stage.clone()) {
                        in_flight.push(self.run_stage(acquired, (*stage).clone()));
                    }
                }
            }
            match in_flight.next().await {
                Some(ended) => ended?,
                None if ready.is_empty() => return self.finish(&run).await,
                None => return Ok(Execution::Interrupted),
            }
        }
    }

    async fn finish(&self, run: &Run) -> Result<Execution, Error> {
        let now = self.clock.now();
        let state = retried(|| self.runs.finish_run(run.run_id, run.lease_epoch, now)).await?;
        self.board.changed(run.run_id, None);
        info!(run_id = %run.run_id, window = %run.window, "run {state}");
        Ok(Execution::Ended(state))
    }

    /// Renews the lease until it is lost. Checks early when this process
    /// changed the run, so that a cancellation requested here takes effect at
    /// once.
    async fn keep_lease(&self, run_id: Uuid, epoch: i64) -> Execution {
        let mut live = self.board.subscribe(run_id);
        let mut held_until = Instant::now() + self.lease_ttl;
        loop {
            let seen = live.borrow_and_update().version;
            tokio::select! {
                () = tokio::time::sleep(self.lease_ttl / 3) => {}
                Ok(_) = live.wait_for(|live| live.version != seen) => {}
            }
            let renewed_at = Instant::now();
            match self.runs.renew_lease(run_id, epoch, self.lease_ttl).await {
                Ok(LeaseState::Held) => held_until = renewed_at + self.lease_ttl,
                Ok(LeaseState::Ended(state)) => return Execution::Ended(state),
                Ok(LeaseState::Lost) => return Execution::LeaseLost,
                Err(error) if Instant::now() >= held_until => {
                    warn!(%run_id, %error, "the lease could not be renewed and has expired");
                    return Execution::LeaseLost;
                }
                Err(error) => warn!(%run_id, %error, "the lease could not be renewed; trying again"),
            }
        }
    }

    pub(crate) async fn reload(&self, run_id: Uuid) -> Result<Run, Error> {
        retried(|| self.runs.run(run_id)).await?.ok_or(Error::RunNotFound(run_id))
    }
}

/// The stages that may start: pending, with all dependencies succeeded.
fn ready_stages(run: &Run) -> Vec<&RunStage> {
    let succeeded: HashSet<&str> = run
        .stages
        .iter()
        .filter(|stage| stage.state == StageState::Succeeded)
        .map(|stage| stage.stage.as_str())
        .collect();
    run.stages
        .iter()
        .filter(|stage| stage.state == StageState::Pending)
        .filter(|stage| stage.depends_on.iter().all(|name| succeeded.contains(name.as_str())))
        .collect()
}

/// Retries storage through a short outage, which must not cost the work of a running stage.
pub(crate) async fn retried<T, F>(call: impl FnMut() -> F) -> warehouse::Result<T>
where
    F: Future<Output = warehouse::Result<T>>,
{
    let waits = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(6);
    call.retry(waits)
        .when(|error| error.kind().is_transient())
        .notify(|error, wait| warn!(%error, ?wait, "the warehouse is away; trying again"))
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn storage_that_is_away_for_a_moment_is_asked_again() {
        let calls = AtomicU32::new(0);
        let answer = retried(|| async {
            match calls.fetch_add(1, Ordering::Relaxed) {
                0..3 => Err(warehouse::Error::Unavailable("busy".into())),
                call => Ok(call),
            }
        });
        assert_eq!(answer.await.unwrap(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_of_storage_is_final() {
        let calls = AtomicU32::new(0);
        let answer = retried(|| async {
            calls.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(warehouse::Error::Precondition("no".to_owned()))
        });
        assert!(answer.await.is_err());
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
