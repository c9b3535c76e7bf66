//! Attempts of stages that did not succeed.

use chrono::{DateTime, Utc};

/// How many attempts of a stage that did not succeed are read with it.
pub const EARLIER_ATTEMPTS: u32 = 20;

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageAttempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended, or when somebody noticed that it had.
    pub ended_at: DateTime<Utc>,
    /// The gRPC status code's name.
    pub error_code: String,
    /// The error message.
    pub error_message: String,
    /// Whether it was cut off rather than failed by itself.
    pub is_interruption: bool,
}

/// Why an attempt ended that nobody was there to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutOff {
    /// Its coordinator disappeared, and another one took the run up.
    TakenOver,
    /// Its run was cancelled.
    Cancelled,
}

impl CutOff {
    /// The gRPC status code's name that is recorded.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TakenOver => "ABORTED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The message that is recorded.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::TakenOver => "the coordinator that executed the stage went away before it had ended",
            Self::Cancelled => "the run was cancelled",
        }
    }
}
