//! The attempts of a stage: those on record, and the newest one, of which the stage itself tells
//! while it runs and once it has succeeded.

use prost_types::Timestamp;
use proto::pipeline::v1::{RunStage, StageAttempt, StageState};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has not.
    Running,
    Succeeded,
    Failed,
    Interrupted,
    /// Its stage starts over, or has been given up, and nothing is on record of it.
    Unknown,
}

impl Outcome {
    /// In a word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Unknown => "not on record",
        }
    }
}

/// An attempt that has begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) number: u32,
    pub(super) start: Option<&'a Timestamp>,
    pub(super) end: Option<&'a Timestamp>,
    pub(super) outcome: Outcome,
    /// Empty unless it failed or was interrupted.
    pub(super) error_code: &'a str,
    pub(super) error_message: &'a str,
}

/// In order.
pub(super) fn of(stage: &RunStage) -> Vec<Attempt<'_>> {
    let mut attempts: Vec<Attempt<'_>> = stage.earlier_attempts.iter().map(on_record).collect();
    let is_recorded = attempts.last().is_some_and(|last| last.number >= stage.attempt);
    if stage.attempt > 0 && !is_recorded {
        attempts.push(newest(stage));
    }
    attempts
}

fn on_record(attempt: &StageAttempt) -> Attempt<'_> {
    Attempt {
        number: attempt.attempt,
        start: attempt.start_time.as_ref(),
        end: attempt.end_time.as_ref(),
        outcome: if attempt.is_interruption { Outcome::Interrupted } else { Outcome::Failed },
        error_code: &attempt.error_code,
        error_message: &attempt.error_message,
    }
}

fn newest(stage: &RunStage) -> Attempt<'_> {
    let ended = stage.end_time.as_ref();
    let (outcome, end) = match stage.state() {
        StageState::Running => (Outcome::Running, None),
        StageState::Succeeded => (Outcome::Succeeded, ended),
        StageState::Failed => (Outcome::Failed, ended),
        // Coordinators of earlier releases recorded no attempts.
        StageState::Pending if stage.earlier_attempts.is_empty() && !stage.error_code.is_empty() => {
            (Outcome::Failed, ended)
        }
        // The stage's end is that of its waiting.
        StageState::Pending | StageState::Cancelled | StageState::Skipped | StageState::Unspecified => {
            (Outcome::Unknown, None)
        }
    };
    let has_failed = outcome == Outcome::Failed;
    Attempt {
        number: stage.attempt,
        start: stage.start_time.as_ref(),
        end,
        outcome,
        error_code: if has_failed { &stage.error_code } else { "" },
        error_message: if has_failed { &stage.error_message } else { "" },
    }
}
