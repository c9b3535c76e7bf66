//! What can go wrong in storage.

use std::{borrow::Cow, fmt};

use domain::{FailureKind, failure::with_causes};

use crate::fence::Fence;

/// The result of a storage call.
pub type Result<T> = std::result::Result<T, Error>;

/// The error of a row stream, passed through unchanged.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What went wrong, where, and what to do.
    pub message: String,
}

/// What can go wrong in storage.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The caller does not own what it wants to change: the run's lease has moved on,
    /// or the stage is not RUNNING at this attempt.
    Fenced {
        /// The fence of the caller.
        fence: Fence,
        /// Which condition does not hold.
        problem: String,
    },
    /// The thing asked for does not exist.
    NotFound(String),
    /// The state of the system forbids the change.
    Precondition(String),
    /// The input is implausible: an empty answer for a day that had records, an export
    /// that shrank too far, rows that do not balance.
    Refused(String),
    /// The row stream failed; everything was rolled back.
    Source(SourceError),
    /// The database is unreachable or busy. Transient.
    Unavailable(Fault),
    /// Any other error of the database.
    Internal(Fault),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { fence, problem } => write!(f, "{fence} may not write: {problem}"),
            Self::NotFound(what) => write!(f, "there is no {what}"),
            Self::Precondition(problem) | Self::Refused(problem) => f.write_str(problem),
            Self::Source(error) => error.fmt(f),
            Self::Unavailable(fault) => write!(f, "the warehouse is unavailable: {}", fault.reported),
            Self::Internal(fault) => write!(
                f,
                "the warehouse failed: {}; the log of the service that reports this has the cause",
                fault.reported
            ),
        }
    }
}

/// The source of a fault is the database's own message: printing an error with its
/// sources reveals it, which is only for a log or the operator's own terminal.
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(fault) | Self::Internal(fault) => {
                fault.cause.is_some().then_some(&fault.said as &(dyn std::error::Error + 'static))
            }
            Self::Source(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A database error, and the part of it that may be shown.
///
/// Only our own words may be shown. The database's message quotes rows, statements and
/// lines of its source, while the warehouse's errors reach callers, alerts and chat
/// rooms; so it is for the log and the trace.
#[derive(Debug)]
pub struct Fault {
    reported: Cow<'static, str>,
    said: Said,
    cause: Option<Cause>,
}

/// The database's message, once and in one piece.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// Shown for a cause without words of ours.
const UNTOLD: &str = "it reported an error";

impl Fault {
    /// A fault with these words to show, which must not quote stored data.
    pub fn new(reported: impl Into<Cow<'static, str>>, cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let said = with_causes(&*cause);
        Self::of(reported, said, cause)
    }

    /// A fault whose cause is logged as `said` rather than in its own words.
    pub fn of(reported: impl Into<Cow<'static, str>>, said: String, cause: impl Into<Cause>) -> Self {
        Self { reported: reported.into(), said: Said(said), cause: Some(cause.into()) }
    }

    /// A fault without a cause.
    pub fn plain(reported: impl Into<Cow<'static, str>>) -> Self {
        let reported = reported.into();
        Self { said: Said(reported.clone().into_owned()), reported, cause: None }
    }

    /// The words that may be shown.
    #[must_use]
    pub fn reported(&self) -> &str {
        &self.reported
    }

    /// The cause, for those who know the engine.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl From<Cause> for Fault {
    /// Shows nothing of the cause.
    fn from(cause: Cause) -> Self {
        Self::new(UNTOLD, cause)
    }
}

impl From<&str> for Fault {
    /// Shows nothing of the cause.
    fn from(cause: &str) -> Self {
        Self::new(UNTOLD, cause)
    }
}

impl Error {
    /// The database's message, if there is one: for the log and the trace only.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Unavailable(fault) | Self::Internal(fault) => Some(&fault.said.0),
            _ => None,
        }
    }

    /// The kind of failure, for retries and status codes.
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
            assert_eq!(error.said(), Some(said));
            assert_eq!(error.source().unwrap().to_string(), said);
        }
        assert!(Error::Refused("line 7".to_owned()).said().is_none());
    }

    #[test]
    fn an_error_with_its_sources_says_everything_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] Said);

        let error = Error::Unavailable(Fault::new("it is away", Outer(Said("inner".to_owned()))));
        assert_eq!(error.said(), Some("outer: inner"));
        assert!(error.source().unwrap().source().is_none());
        assert!(Error::Unavailable(Fault::plain("it is away")).source().is_none());
    }
}
