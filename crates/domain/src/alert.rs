//! What people are alerted of.

/// What an alert reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertCause {
    /// A stage of the run failed permanently.
    StageFailed,
    /// The deadline passed, and no run covers the day.
    DeadlineWithoutRun,
    /// The deadline passed while the run over the day is queued or running.
    DeadlineRunActive,
    /// The deadline passed, and the newest run over the day did not succeed.
    DeadlineRunFailed,
    /// Published numbers differ from the product API's.
    NumbersDiffer,
}

impl AlertCause {
    const ALL: [Self; 5] = [
        Self::StageFailed,
        Self::DeadlineWithoutRun,
        Self::DeadlineRunActive,
        Self::DeadlineRunFailed,
        Self::NumbersDiffer,
    ];

    /// The word for it in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StageFailed => "STAGE_FAILED",
            Self::DeadlineWithoutRun => "DEADLINE_WITHOUT_RUN",
            Self::DeadlineRunActive => "DEADLINE_RUN_ACTIVE",
            Self::DeadlineRunFailed => "DEADLINE_RUN_FAILED",
            Self::NumbersDiffer => "NUMBERS_DIFFER",
        }
    }

    /// The cause that a stored word stands for. One that only a newer version knows counts as
    /// a failed stage, as in the contract: the alert must reach people all the same.
    #[must_use]
    pub fn from_stored(word: &str) -> Self {
        Self::ALL.into_iter().find(|cause| cause.as_str() == word).unwrap_or(Self::StageFailed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_cause_is_read_back_and_an_unknown_one_holds_up_no_alert() {
        for (at, cause) in AlertCause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, at);
            assert_eq!(AlertCause::from_stored(cause.as_str()), cause);
        }
        assert_eq!(AlertCause::from_stored("DISK_FULL"), AlertCause::StageFailed);
    }
}
