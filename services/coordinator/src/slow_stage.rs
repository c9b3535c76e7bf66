//! Whether a stage that has succeeded took much longer than it usually does.

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

/// How long the run may be kept waiting for a judgement that it does not need.
const PATIENCE: Duration = Duration::from_secs(1);

impl RunExecutor {
    /// Compares what a stage took with what it took in recent runs, and tells
    /// whoever watches if it was slow. That it cannot be told changes nothing.
    pub(crate) async fn judge(
        &self,
        run: &Run,
        stage: &str,
        took: Duration,
        counters: Counters,
    ) -> Option<SlowExecution> {
        // Most stages are quick, and none of them is worth a question.
        if took <= NEGLIGIBLE {
            return None;
        }
        let run_id = run.run_id;
        let recent = self.warehouse.recent_executions(run, stage, RECENT);
        let recent = match tokio::time::timeout(PATIENCE, recent).await {
            Ok(Ok(recent)) => recent,
            Ok(Err(error)) => {
                debug!(%run_id, %stage, %error, "what the stage took before could not be read");
                return None;
            }
            Err(_) => {
                debug!(%run_id, %stage, "what the stage took before was not told in time");
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
             `activityctl trends --stage {stage}` tells since when",
            slow.factor,
            slow.expected,
        );
        Some(slow)
    }
}
