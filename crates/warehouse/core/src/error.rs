//! What can go wrong in storage.

use domain::FailureKind;

use crate::Fence;

/// The result of a storage call.
pub type Result<T> = std::result::Result<T, Error>;

/// The error of a row stream, passed through unchanged.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What was wrong, where, and what to do.
    pub message: String,
}

/// What can go wrong in storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller does not own what it wants to change: the run's lease has
    /// moved on, or the stage is not RUNNING at this attempt.
    #[error("{fence} may not write: {problem}")]
    Fenced {
        /// Who asked.
        fence: Fence,
        /// What does not hold.
        problem: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// The state of the system forbids the change.
    #[error("{0}")]
    Precondition(String),
    /// The input is not believed: an empty answer for a day that had records,
    /// an export that shrank too far, rows that do not balance.
    #[error("{0}")]
    Refused(String),
    /// The row stream failed; everything was rolled back.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database is away or busy. Transient.
    #[error("the warehouse is unavailable: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else the database said.
    #[error("the warehouse failed: {0}")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Fenced { .. } | Self::Precondition(_) => FailureKind::FailedPrecondition,
            Self::NotFound(_) => FailureKind::NotFound,
            Self::Refused(_) => FailureKind::InvalidInput,
            Self::Source(error) => error.kind,
            Self::Unavailable(_) => FailureKind::Unavailable,
            Self::Internal(_) => FailureKind::Internal,
        }
    }
}
