//! Runs, the states of their stages, and the causes of alerts.

use domain::{AlertCause, RunState, RunTrigger, StageState};
use proto::{
    notifier::v1::AlertCause as AlertCauseProto,
    pipeline::v1::{RunState as RunStateProto, RunTrigger as RunTriggerProto, StageState as StageStateProto},
};

/// A run's state as its enum in the contract.
#[must_use]
pub const fn run_state_to_proto(state: RunState) -> RunStateProto {
    match state {
        RunState::Queued => RunStateProto::Queued,
        RunState::Running => RunStateProto::Running,
        RunState::Succeeded => RunStateProto::Succeeded,
        RunState::Failed => RunStateProto::Failed,
        RunState::Cancelled => RunStateProto::Cancelled,
    }
}

/// The run state of a message; `None` for an unknown number.
#[must_use]
pub fn run_state_from_proto(number: i32) -> Option<RunState> {
    match RunStateProto::try_from(number).ok()? {
        RunStateProto::Unspecified => None,
        RunStateProto::Queued => Some(RunState::Queued),
        RunStateProto::Running => Some(RunState::Running),
        RunStateProto::Succeeded => Some(RunState::Succeeded),
        RunStateProto::Failed => Some(RunState::Failed),
        RunStateProto::Cancelled => Some(RunState::Cancelled),
    }
}

/// A stage's state as its enum in the contract.
#[must_use]
pub const fn stage_state_to_proto(state: StageState) -> StageStateProto {
    match state {
        StageState::Pending => StageStateProto::Pending,
        StageState::Running => StageStateProto::Running,
        StageState::Succeeded => StageStateProto::Succeeded,
        StageState::Failed => StageStateProto::Failed,
        StageState::Skipped => StageStateProto::Skipped,
        StageState::Cancelled => StageStateProto::Cancelled,
    }
}

/// A run's trigger as its enum in the contract.
#[must_use]
pub const fn run_trigger_to_proto(trigger: RunTrigger) -> RunTriggerProto {
    match trigger {
        RunTrigger::Manual => RunTriggerProto::Manual,
        RunTrigger::Scheduled => RunTriggerProto::Scheduled,
        RunTrigger::Backfill => RunTriggerProto::Backfill,
        RunTrigger::Unpublish => RunTriggerProto::Unpublish,
    }
}

/// The trigger of a number in a message; `None` if it is none.
#[must_use]
pub fn run_trigger_from_proto(number: i32) -> Option<RunTrigger> {
    match RunTriggerProto::try_from(number).ok()? {
        RunTriggerProto::Unspecified => None,
        RunTriggerProto::Manual => Some(RunTrigger::Manual),
        RunTriggerProto::Scheduled => Some(RunTrigger::Scheduled),
        RunTriggerProto::Backfill => Some(RunTrigger::Backfill),
        RunTriggerProto::Unpublish => Some(RunTrigger::Unpublish),
    }
}

/// An alert's cause as its enum in the contract.
#[must_use]
pub const fn alert_cause_to_proto(cause: AlertCause) -> AlertCauseProto {
    match cause {
        AlertCause::StageFailed => AlertCauseProto::StageFailed,
        AlertCause::DeadlineWithoutRun => AlertCauseProto::DeadlineWithoutRun,
        AlertCause::DeadlineRunActive => AlertCauseProto::DeadlineRunActive,
        AlertCause::DeadlineRunFailed => AlertCauseProto::DeadlineRunFailed,
        AlertCause::NumbersDiffer => AlertCauseProto::NumbersDiffer,
    }
}

/// The alert cause of a message. A sender that knows no causes reports a failed stage.
#[must_use]
pub const fn alert_cause_from_proto(cause: AlertCauseProto) -> AlertCause {
    match cause {
        AlertCauseProto::Unspecified | AlertCauseProto::StageFailed => AlertCause::StageFailed,
        AlertCauseProto::DeadlineWithoutRun => AlertCause::DeadlineWithoutRun,
        AlertCauseProto::DeadlineRunActive => AlertCause::DeadlineRunActive,
        AlertCauseProto::DeadlineRunFailed => AlertCause::DeadlineRunFailed,
        AlertCauseProto::NumbersDiffer => AlertCause::NumbersDiffer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_the_way_there_and_back() {
        for state in
            [RunState::Queued, RunState::Running, RunState::Succeeded, RunState::Failed, RunState::Cancelled]
        {
            assert_eq!(run_state_from_proto(run_state_to_proto(state).into()), Some(state));
        }
        assert_eq!([0, 99].map(run_state_from_proto), [None, None]);
    }
}
