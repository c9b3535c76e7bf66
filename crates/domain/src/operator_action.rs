//! What operators do, and how it ends: the words of the audit trail.

/// Something that an operator does to the pipeline or its programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorAction {
    /// Starts a run, or finds the one that makes it unnecessary.
    Trigger,
    /// Continues a run that failed or was cancelled.
    Retry,
    /// Cancels a run.
    Cancel,
    /// Runs past days again.
    Backfill,
    /// Takes published days back.
    Unpublish,
    /// Removes old data.
    Maintain,
    /// Brings the schema up to date.
    Migrate,
    /// Changes what a process logs.
    LogLevel,
    /// Declares that rejected rows stay as they are.
    QuarantineAccept,
    /// Puts rejected rows through the ordinary path again.
    QuarantineReplay,
}

impl OperatorAction {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Trigger,
        Self::Retry,
        Self::Cancel,
        Self::Backfill,
        Self::Unpublish,
        Self::Maintain,
        Self::Migrate,
        Self::LogLevel,
        Self::QuarantineAccept,
        Self::QuarantineReplay,
    ];

    /// Its name in storage, in contracts and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Backfill => "backfill",
            Self::Unpublish => "unpublish",
            Self::Maintain => "maintain",
            Self::Migrate => "migrate",
            Self::LogLevel => "log-level",
            Self::QuarantineAccept => "quarantine-accept",
            Self::QuarantineReplay => "quarantine-replay",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It was done. What becomes of a run that it started is in the run.
    Succeeded,
    /// It makes no sense, or the state of the pipeline forbids it; nothing was done.
    Refused,
    /// Something broke.
    Failed,
}

impl ActionOutcome {
    const ALL: [Self; 3] = [Self::Succeeded, Self::Refused, Self::Failed];

    /// The word for it in storage.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Refused => "REFUSED",
            Self::Failed => "FAILED",
        }
    }

    /// The outcome that a stored word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for (at, action) in OperatorAction::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, at);
            assert_eq!(OperatorAction::parse(action.as_str()), Some(action));
        }
        for outcome in ActionOutcome::ALL {
            assert_eq!(ActionOutcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(OperatorAction::parse("TRIGGER"), None);
        assert_eq!(ActionOutcome::parse(""), None);
    }
}
