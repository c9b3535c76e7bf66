//! What can go wrong in storage.

use std::borrow::Cow;

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
    Unavailable(#[source] Fault),
    /// Anything else the database said.
    #[error("the warehouse failed: {0}; the log of the service that reports this has the cause")]
    Internal(#[source] Fault),
}

/// What a database said, and what of it may be told.
///
/// Shown, it is in words of ours alone. What the database itself says quotes
/// rows, statements and lines of its source, and errors of the warehouse reach
/// callers, alerts and chat rooms; so that is the source of this error, for the
/// log and the trace ([`Fault::cause`]).
#[derive(Debug, thiserror::Error)]
#[error("{told}")]
pub struct Fault {
    told: Cow<'static, str>,
    detail: Option<String>,
    #[source]
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl Fault {
    /// A fault that is told in these words, which may quote nothing that is stored.
    pub fn new(
        told: impl Into<Cow<'static, str>>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { told: told.into(), detail: None, cause: cause.into() }
    }

    /// The same with what the cause knows but does not show, for the log and the trace.
    #[must_use]
    pub fn with_detail(self, detail: Option<String>) -> Self {
        Self { detail, ..self }
    }

    /// What happened, for the log and the trace alone.
    #[must_use]
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.cause
    }

    /// What happened with all that led to it, for the log and the trace alone.
    fn in_full(&self) -> String {
        let mut text = self.cause.to_string();
        let mut source = self.cause.source();
        while let Some(error) = source {
            let reason = error.to_string();
            // Many repeat their source.
            if !text.ends_with(&reason) {
                text = format!("{text}: {reason}");
            }
            source = error.source();
        }
        match &self.detail {
            Some(detail) => format!("{text} ({detail})"),
            None => text,
        }
    }
}

/// What is told of a cause that nobody has words for.
const UNTOLD: &str = "it reported an error";

impl From<Box<dyn std::error::Error + Send + Sync>> for Fault {
    /// Told without a word of the cause.
    fn from(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::new(UNTOLD, cause)
    }
}

impl From<&str> for Fault {
    /// Told without a word of the cause.
    fn from(cause: &str) -> Self {
        Self::new(UNTOLD, cause)
    }
}

impl Error {
    /// What the database said, where it did: for the log and the trace alone.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match self {
            Self::Unavailable(fault) | Self::Internal(fault) => Some(fault.cause()),
            _ => None,
        }
    }

    /// The same with all that led to it.
    #[must_use]
    pub fn cause_in_full(&self) -> Option<String> {
        match self {
            Self::Unavailable(fault) | Self::Internal(fault) => Some(fault.in_full()),
            _ => None,
        }
    }

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

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn what_a_database_says_is_never_shown_but_kept_as_the_source() {
        let said = "Key (company_id)=(hunter2) already exists, nodes/execIndexing.c:666";
        for error in [
            Error::Internal(said.into()),
            Error::Unavailable(said.into()),
            Error::Internal(Fault::new("a rule of the schema was broken", said)),
        ] {
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error.cause().unwrap().to_string(), said);
            assert_eq!(error.source().and_then(|fault| fault.source()).unwrap().to_string(), said);
        }
        assert!(Error::Refused("line 7".to_owned()).cause().is_none());
    }
}
