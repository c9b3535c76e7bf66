//! The attempts of one stage, until one succeeds or none can.

use std::time::Duration;

use domain::{Counters, StageState};
use tonic::Code;
use tracing::{error, info, warn};
use warehouse::{Fence, NewAlert, Run, RunStage, StageFailure};

use crate::{
    Error,
    executor::{RunExecutor, retried},
    stage_call::{self, AttemptFailure},
};

impl RunExecutor {
    /// Tries a stage until it succeeds, fails for good, or the process begins to
    /// shut down between two attempts; the store then says which.
    pub(crate) async fn run_stage(&self, run: &Run, stage: RunStage) -> Result<(), Error> {
        let limits = self.pipeline.limits(&stage.stage);
        let mut failures = stage.failures;
        while !self.shutdown.is_cancelled() {
            let now = self.clock.now();
            let fence =
                retried(|| self.warehouse.begin_stage(run.run_id, run.lease_epoch, &stage.stage, now))
                    .await?;
            self.board.changed(run.run_id, Some(&stage.stage));
            let attempt = self.attempt(run, &stage, &fence, limits.timeout).await;
            let failure = match self.confirm(&fence, attempt).await? {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            failures += 1;
            let wait = limits.retry.next_attempt_after(
                failure.is_transient,
                failures,
                failure.retry_after,
                limits.timeout,
                self.jitter.next(),
            );
            let committed = self.record_failure(run, &fence, &failure, wait).await?;
            let (false, Some(wait)) = (committed, wait) else { return Ok(()) };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn attempt(
        &self,
        run: &Run,
        stage: &RunStage,
        fence: &Fence,
        timeout: Duration,
    ) -> Result<Counters, AttemptFailure> {
        let service = stage.service.as_str();
        let Some(channel) = self.services.get(service) else {
            return Err(AttemptFailure::lasting(
                Code::FailedPrecondition,
                format!("there is no endpoint for the service {service:?} that the run was created with"),
            ));
        };
        info!(run_id = %run.run_id, stage = %stage.stage, attempt = fence.attempt, "stage started");
        let on_progress = |progress| self.board.report(run.run_id, &stage.stage, progress);
        stage_call::execute(channel.clone(), service, stage_call::request(run, fence), timeout, on_progress)
            .await
    }

    /// Believes a success only once the store has it: what depends on the stage
    /// reads its data, not its words.
    async fn confirm(
        &self,
        fence: &Fence,
        attempt: Result<Counters, AttemptFailure>,
    ) -> Result<Result<(), AttemptFailure>, Error> {
        let counters = match attempt {
            Ok(counters) => counters,
            Err(failure) => return Ok(Err(failure)),
        };
        let Fence { run_id, stage, attempt, .. } = fence;
        if !self.is_committed(fence).await? {
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
        Ok(Ok(()))
    }

    async fn is_committed(&self, fence: &Fence) -> Result<bool, Error> {
        let run = self.reload(fence.run_id).await?;
        Ok(run.stages.iter().any(|stage| {
            stage.stage == fence.stage
                && stage.attempt == fence.attempt
                && stage.state == StageState::Succeeded
        }))
    }

    /// Records a failed attempt, with the alert if it is final. Returns whether
    /// the stage had committed after all: a connection can break after the last
    /// transaction and before its answer, and only the store can tell.
    async fn record_failure(
        &self,
        run: &Run,
        fence: &Fence,
        failure: &AttemptFailure,
        wait: Option<Duration>,
    ) -> Result<bool, Error> {
        let record = StageFailure {
            code: runtime::code_name(failure.code).to_owned(),
            message: failure.message.clone(),
            will_retry: wait.is_some(),
        };
        let now = self.clock.now();
        let alert = wait.is_none().then(|| alert(run, fence, &record, now));
        let recorded = retried(|| self.warehouse.fail_stage(fence, &record, alert.as_ref(), now)).await;
        let Fence { run_id, stage, attempt, .. } = fence;
        match recorded {
            Ok(()) => {}
            Err(warehouse::Error::Fenced { .. }) if self.is_committed(fence).await? => {
                self.board.changed(*run_id, Some(stage));
                info!(%run_id, %stage, attempt, lost = %failure.message, "stage SUCCEEDED, its answer was lost");
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        }
        self.board.changed(*run_id, Some(stage));
        let StageFailure { code, message, .. } = &record;
        if let Some(wait) = wait {
            warn!(%run_id, %stage, attempt, %code, error = %message, ?wait, "stage attempt failed, will be retried");
        } else {
            error!(%run_id, %stage, attempt, %code, error = %message, "stage FAILED");
            self.alert_written.notify_one();
        }
        Ok(false)
    }
}

fn alert(
    run: &Run,
    fence: &Fence,
    failure: &StageFailure,
    failed_at: chrono::DateTime<chrono::Utc>,
) -> NewAlert {
    NewAlert {
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
