//! The rules for state changes of a run, the same for every engine.

use chrono::NaiveDate;
use domain::{
    Counters, DateWindow, RunState, RunTrigger, StageState,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_VALIDATE},
    usage::CHURN_DAYS,
};
use uuid::Uuid;

use crate::{
    error::{Error, Result},
    runs::{LeaseState, Run, StageFailure},
};

impl Run {
    /// The run's final state, if it may end now.
    ///
    /// # Errors
    /// [`Error::Precondition`] if it is not held at `epoch`, or has unfinished stages.
    pub fn final_state(&self, epoch: i64) -> Result<RunState> {
        let run_id = self.run_id;
        if self.state != RunState::Running || self.lease_epoch != epoch {
            return Err(Error::Precondition(format!("run {run_id} is not held at lease epoch {epoch}")));
        }
        let any = |state| self.stages.iter().any(|stage| stage.state == state);
        if any(StageState::Running) || (any(StageState::Pending) && !any(StageState::Failed)) {
            return Err(Error::Precondition(format!("run {run_id} has unfinished stages")));
        }
        let succeeded = self.stages.iter().all(|stage| stage.state == StageState::Succeeded);
        Ok(if succeeded { RunState::Succeeded } else { RunState::Failed })
    }

    /// The lease state after a failed renewal.
    #[must_use]
    pub const fn without_lease(&self) -> LeaseState {
        if self.state.is_terminal() { LeaseState::Ended(self.state) } else { LeaseState::Lost }
    }

    /// Whether cancelling the run changes anything.
    ///
    /// # Errors
    /// [`Error::Precondition`] if it has succeeded or failed.
    pub fn needs_cancelling(&self) -> Result<bool> {
        match self.state {
            RunState::Queued | RunState::Running => Ok(true),
            RunState::Cancelled => Ok(false),
            RunState::Succeeded | RunState::Failed => {
                Err(Error::Precondition(format!("run {} has ended: it is {}", self.run_id, self.state)))
            }
        }
    }

    /// Checks that the run's own state allows a retry.
    ///
    /// # Errors
    /// [`Error::Precondition`] if it is active or has succeeded.
    pub fn check_retryable(&self) -> Result<()> {
        if matches!(self.state, RunState::Failed | RunState::Cancelled) {
            return Ok(());
        }
        Err(Error::Precondition(format!(
            "run {} is {}: only a failed or cancelled run can be retried",
            self.run_id, self.state
        )))
    }

    /// Checks that no other run is active over the days of the run to retry.
    ///
    /// # Errors
    /// [`Error::Precondition`] that names the other.
    pub fn check_retryable_beside(&self, active: Option<Run>) -> Result<()> {
        match active {
            None => Ok(()),
            Some(active) => Err(Error::Precondition(format!(
                "run {} cannot be retried: run {} is active over the same days",
                self.run_id, active.run_id
            ))),
        }
    }

    /// Whether the run rebuilds days without asking the product API for anything.
    #[must_use]
    pub fn is_from_staging(&self) -> bool {
        !self.rebuild_days.is_empty()
            && !self.stages.iter().any(|stage| stage.stage == STAGE_CALL_PRODUCT_API)
    }

    /// The days whose staged usage the run's build reads.
    #[must_use]
    pub fn usage_days(&self) -> DateWindow {
        self.window.reaching_back(CHURN_DAYS - 1)
    }

    /// The succeeded stages of a run whose results are gone: usage of some of its
    /// [days](Self::usage_days) may have been forgotten, and its candidates discarded
    /// or overtaken.
    #[must_use]
    pub fn lost_stages(&self, has_usage: bool, has_candidates: bool) -> &'static [&'static str] {
        // A run that takes days back builds nothing; after a publish the candidates are
        // gone and no longer needed.
        if self.trigger == RunTrigger::Unpublish || self.has_succeeded(STAGE_VALIDATE) {
            return &[];
        }
        match (has_usage, has_candidates) {
            (true, true) => &[],
            (true, false) => &[STAGE_BUILD_FACT],
            (false, _) => &[STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT],
        }
    }

    fn has_succeeded(&self, stage: &str) -> bool {
        self.stages.iter().any(|found| found.stage == stage && found.state == StageState::Succeeded)
    }

    /// The counters of the succeeded stages.
    #[must_use]
    pub fn into_finished_stages(self) -> Vec<(String, Counters)> {
        let stages = self.stages.into_iter().filter(|stage| stage.state == StageState::Succeeded);
        stages.map(|stage| (stage.stage, stage.counters)).collect()
    }
}

impl StageFailure {
    /// The stage's state after the failed attempt.
    #[must_use]
    pub const fn state(&self) -> StageState {
        if self.will_retry { StageState::Pending } else { StageState::Failed }
    }
}

impl Error {
    /// The error for a run from staging that would publish a day that was never fetched: it would say
    /// that nobody did anything, and no later run would ask.
    #[must_use]
    pub fn never_fetched(day: NaiveDate) -> Self {
        Self::Precondition(format!(
            "{day} is not published, and the product API was never asked for it, so there is nothing staged to build \
             it from: leave out --from-staging, or that day"
        ))
    }

    /// The error for candidates that do not match what is staged and published now.
    #[must_use]
    pub fn outdated_candidates(run_id: Uuid) -> Self {
        Self::Precondition(format!(
            "the candidates of run {run_id} are out of date: something was loaded or published since they were \
             built; retry the run, which builds them again"
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{DateTime, NaiveDate};

    use super::*;
    use crate::runs::RunStage;

    fn run(state: RunState, stages: &[(&str, StageState)]) -> Run {
        let stage = |(stage, state): &(&str, StageState)| RunStage {
            stage: (*stage).to_owned(),
            service: String::new(),
            depends_on: vec![],
            state: *state,
            attempt: 1,
            failures: 0,
            started_at: None,
            ended_at: None,
            counters: Counters::default(),
            remarks: vec![],
            error_code: None,
            error_message: None,
            earlier_attempts: Vec::new(),
        };
        Run {
            run_id: Uuid::nil(),
            pipeline: "daily".into(),
            window: DateWindow::day(NaiveDate::from_ymd_opt(2026, 1, 20).unwrap()),
            trigger: RunTrigger::Manual,
            accept_empty_days: BTreeSet::new(),
            rebuild_days: BTreeSet::new(),
            requested_by: None,
            state,
            lease_epoch: 3,
            created_at: DateTime::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
            traceparent: None,
            stages: stages.iter().map(stage).collect(),
        }
    }

    #[test]
    fn a_run_ends_by_what_its_stages_are_and_only_while_it_is_held() {
        use StageState::{Failed, Pending, Running, Skipped, Succeeded};
        let ends_as = |stages: &[StageState]| {
            let stages: Vec<_> = stages.iter().map(|state| ("a", *state)).collect();
            run(RunState::Running, &stages).final_state(3)
        };
        assert_eq!(ends_as(&[Succeeded, Succeeded]).unwrap(), RunState::Succeeded);
        assert_eq!(ends_as(&[Succeeded, Failed, Pending]).unwrap(), RunState::Failed);
        assert_eq!(ends_as(&[Succeeded, Skipped]).unwrap(), RunState::Failed);
        assert!(ends_as(&[Succeeded, Pending]).is_err());
        assert!(ends_as(&[Failed, Running]).is_err());
        assert!(run(RunState::Running, &[]).final_state(2).is_err());
        assert!(run(RunState::Queued, &[]).final_state(3).is_err());
    }

    #[test]
    fn what_has_ended_is_retried_or_left_and_what_has_not_is_cancelled() {
        for (state, cancels, retries) in [
            (RunState::Queued, Some(true), false),
            (RunState::Running, Some(true), false),
            (RunState::Cancelled, Some(false), true),
            (RunState::Failed, None, true),
            (RunState::Succeeded, None, false),
        ] {
            let run = run(state, &[]);
            assert_eq!(run.needs_cancelling().ok(), cancels, "{state}");
            assert_eq!(run.check_retryable().is_ok(), retries, "{state}");
        }
        let failed = run(RunState::Failed, &[]);
        assert!(failed.check_retryable_beside(None).is_ok());
        assert!(failed.check_retryable_beside(Some(run(RunState::Queued, &[]))).is_err());
    }

    #[test]
    fn a_retry_does_over_what_is_lost_unless_nobody_waits_for_it() {
        let waiting = run(RunState::Failed, &[(STAGE_VALIDATE, StageState::Failed)]);
        let fetched_again = [STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT];
        assert_eq!(waiting.lost_stages(false, true), fetched_again);
        assert_eq!(waiting.lost_stages(true, false), [STAGE_BUILD_FACT]);
        assert!(waiting.lost_stages(true, true).is_empty());
        let published = run(RunState::Failed, &[(STAGE_VALIDATE, StageState::Succeeded)]);
        assert!(published.lost_stages(false, false).is_empty());
        let takes_back = Run { trigger: RunTrigger::Unpublish, ..waiting };
        assert!(takes_back.lost_stages(false, false).is_empty());
    }
}
