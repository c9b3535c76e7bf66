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
}

impl AlertCause {
    const ALL: [Self; 4] =
        [Self::StageFailed, Self::DeadlineWithoutRun, Self::DeadlineRunActive, Self::DeadlineRunFailed];

    /// The word for it in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StageFailed => "STAGE_FAILED",
            Self::DeadlineWithoutRun => "DEADLINE_WITHOUT_RUN",
            Self::DeadlineRunActive => "DEADLINE_RUN_ACTIVE",
            Self::DeadlineRunFailed => "DEADLINE_RUN_FAILED",
        }
    }

    /// The value for a word, or `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}
