//! What can go wrong in storage.

use std::{borrow::Cow, fmt};

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
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The caller does not own what it wants to change: the run's lease has
    /// moved on, or the stage is not RUNNING at this attempt.
    Fenced {
        /// Who asked.
        fence: Fence,
        /// What does not hold.
        problem: String,
    },
    /// There is no such thing.
    NotFound(String),
    /// The state of the system forbids the change.
    Precondition(String),
    /// The input is not believed: an empty answer for a day that had records,
    /// an export that shrank too far, rows that do not balance.
    Refused(String),
    /// The row stream failed; everything was rolled back.
    Source(SourceError),
    /// The database is away or busy. Transient.
    Unavailable(Fault),
    /// Anything else the database said.
    Internal(Fault),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced { fence, problem } => write!(f, "{fence} may not write: {problem}"),
            Self::NotFound(what) => write!(f, "there is no {what}"),
            Self::Precondition(problem) | Self::Refused(problem) => f.write_str(problem),
            Self::Source(error) => error.fmt(f),
            Self::Unavailable(fault) => write!(f, "the warehouse is unavailable: {}", fault.told),
            Self::Internal(fault) => write!(
                f,
                "the warehouse failed: {}; the log of the service that reports this has the cause",
                fault.told
            ),
        }
    }
}

/// The source of a fault is what the database said: whoever shows an error with
/// its sources shows that, too, which only a log or the operator's own terminal may.
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

/// What a database said, and what of it may be told.
///
/// Told is what is in words of ours alone. What the database itself says quotes
/// rows, statements and lines of its source, and errors of the warehouse reach
/// callers, alerts and chat rooms; so that is for the log and the trace.
#[derive(Debug)]
pub struct Fault {
    told: Cow<'static, str>,
    said: Said,
    cause: Option<Cause>,
}

/// What a database said, once and in one piece.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

/// What is told of a cause that nobody has words for.
const UNTOLD: &str = "it reported an error";

impl Fault {
    /// A fault that is told in these words, which may quote nothing that is stored.
    pub fn new(told: impl Into<Cow<'static, str>>, cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let said = in_full(&*cause);
        Self::of(told, said, cause)
    }

    /// The same where the cause's own words are not the best ones for a log.
    pub fn of(told: impl Into<Cow<'static, str>>, said: String, cause: impl Into<Cause>) -> Self {
        Self { told: told.into(), said: Said(said), cause: Some(cause.into()) }
    }

    /// A fault about which there is no more to know.
    pub fn plain(told: impl Into<Cow<'static, str>>) -> Self {
        let told = told.into();
        Self { said: Said(told.clone().into_owned()), told, cause: None }
    }

    /// What may be told.
    #[must_use]
    pub fn told(&self) -> &str {
        &self.told
    }

    /// What happened, for those who know the engine.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

/// An error with all that led to it.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let reason = error.to_string();
        // Many repeat their source.
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        source = error.source();
    }
    text
}

impl From<Cause> for Fault {
    /// Told without a word of the cause.
    fn from(cause: Cause) -> Self {
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
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Unavailable(fault) | Self::Internal(fault) => Some(&fault.said.0),
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
