//! Whether a stage that succeeded took much longer than usual.

use std::time::Duration;

use domain::{
    Counters,
    trend::{NEGLIGIBLE, SlowExecution, StageExecution, slow_execution},
};
use opentelemetry::KeyValue;
use telemetry::metrics;
use tracing::{debug, warn};
use warehouse::Run;

use crate::executor::RunExecutor;

/// How many earlier executions a stage is compared with: two weeks of daily runs.
const RECENT: u32 = 14;

/// How long a run may wait for a judgement that it can do without.
const PATIENCE: Duration = Duration::from_secs(1);

impl RunExecutor {
    /// Compares a stage's time with that of recent runs, and logs and counts it
    /// if it was slow. A failure to judge has no effect.
    pub(crate) async fn judge(
        &self,
        run: &Run,
        stage: &str,
        took: Duration,
        counters: Counters,
    ) -> Option<SlowExecution> {
        // Most stages are quick, and not worth a query.
        if took <= NEGLIGIBLE {
            return None;
        }
        let run_id = run.run_id;
        let recent = self.runs.recent_executions(run, stage, RECENT);
        let recent = match tokio::time::timeout(PATIENCE, recent).await {
            Ok(Ok(recent)) => recent,
            Ok(Err(error)) => {
                debug!(%run_id, %stage, %error, "what the stage took before could not be read");
                return None;
            }
            Err(_) => {
                debug!(%run_id, %stage, "how long the stage took before could not be read in time");
                return None;
            }
        };
        let execution = StageExecution { day: run.window.end(), took, rows: counters.rows_read };
        let slow = slow_execution(&execution, &recent)?;
        metrics::SLOW_STAGES.counter().add(1, &[KeyValue::new("stage", stage.to_owned())]);
        warn!(
            %run_id,
            %stage,
            rows_read = counters.rows_read,
            "the stage took {took:.1?}, {:.1} times the {:.1?} that recent runs take for as many rows; \
             `activityctl trends --stage {stage}` says since when",
            slow.factor,
            slow.expected,
        );
        Some(slow)
    }
}
