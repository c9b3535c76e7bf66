//! Takes up runs in turn, one after the other.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tracing::{info, warn};

use crate::executor::{Execution, RunExecutor};

/// The longest time before this process notices a run of another replica, or
/// one whose lease has expired.
const LONGEST_TICK: Duration = Duration::from_secs(1);

/// Takes up runs while the process lives.
pub(crate) struct Dispatcher {
    pub(crate) executor: RunExecutor,
    /// The holder of the leases.
    pub(crate) holder: String,
    /// Notified when a run is created or queued again.
    pub(crate) run_queued: Arc<Notify>,
}

impl Dispatcher {
    /// Executes runs until shutdown begins. The lease of an interrupted run is
    /// released, so that the next coordinator continues at once.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let tick = LONGEST_TICK.min(self.executor.lease_ttl / 3);
        while !self.executor.shutdown.is_cancelled() {
            if self.execute_next().await {
                continue;
            }
            tokio::select! {
                () = self.executor.shutdown.cancelled() => {}
                () = self.run_queued.notified() => {}
                () = tokio::time::sleep(tick) => {}
            }
        }
        Ok(())
    }

    /// Returns whether a run ended, so that the next one may follow at once. In
    /// all other cases the caller pauses first.
    async fn execute_next(&self) -> bool {
        let RunExecutor { runs, pipeline, clock, lease_ttl, .. } = &self.executor;
        let acquired = runs.acquire_run(&pipeline.name, &self.holder, *lease_ttl, clock.now()).await;
        let taken = match acquired {
            Ok(Some(taken)) => taken,
            Ok(None) => return false,
            Err(error) => {
                warn!(%error, "no run could be taken up; trying again");
                return false;
            }
        };
        let run = &taken.run;
        info!(run_id = %run.run_id, window = %run.window, trigger = %run.trigger, epoch = run.lease_epoch, "run taken up");
        self.executor.board.changed(run.run_id, None);
        match self.executor.execute(&taken).await {
            Ok(Execution::Ended(_)) => true,
            Ok(Execution::LeaseLost) => {
                warn!(run_id = %run.run_id, epoch = run.lease_epoch, "the run's lease is gone; its stages were stopped");
                false
            }
            Ok(Execution::Interrupted) => {
                info!(run_id = %run.run_id, "the run was interrupted; the next coordinator goes on with it");
                if let Err(error) = runs.release_lease(run.run_id, run.lease_epoch).await {
                    warn!(run_id = %run.run_id, %error, "the lease could not be given back; it has to expire");
                }
                false
            }
            Err(error) => {
                warn!(run_id = %run.run_id, %error, "the run was interrupted; it will be taken up again");
                false
            }
        }
    }
}
