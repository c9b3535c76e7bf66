//! What kind of failure an error is, in terms that every transport can map, and how its
//! causes are printed.

use std::error::Error;

/// The kind of a failure: decides the gRPC status code and whether a retry can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The caller's request makes no sense.
    InvalidArgument,
    /// The thing asked for does not exist.
    NotFound,
    /// The state of the system forbids it, for example a lease held by someone else.
    FailedPrecondition,
    /// The source refused our credentials.
    Unauthenticated,
    /// The input breaks its contract: a broken file, invalid JSON.
    InvalidInput,
    /// A dependency is unreachable. Transient.
    Unavailable,
    /// A dependency asks us to slow down. Transient.
    Exhausted,
    /// It took too long. Transient.
    TimedOut,
    /// A concurrent change interfered. Transient.
    Conflict,
    /// The caller gave up.
    Cancelled,
    /// A defect of ours, or of the machine.
    Internal,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::InvalidArgument,
        Self::NotFound,
        Self::FailedPrecondition,
        Self::Unauthenticated,
        Self::InvalidInput,
        Self::Unavailable,
        Self::Exhausted,
        Self::TimedOut,
        Self::Conflict,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The kind's name, as traces record it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "InvalidArgument",
            Self::NotFound => "NotFound",
            Self::FailedPrecondition => "FailedPrecondition",
            Self::Unauthenticated => "Unauthenticated",
            Self::InvalidInput => "InvalidInput",
            Self::Unavailable => "Unavailable",
            Self::Exhausted => "Exhausted",
            Self::TimedOut => "TimedOut",
            Self::Conflict => "Conflict",
            Self::Cancelled => "Cancelled",
            Self::Internal => "Internal",
        }
    }

    /// Whether the same call may succeed later although nothing has changed.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unavailable | Self::Exhausted | Self::TimedOut | Self::Conflict => true,
            Self::InvalidArgument
            | Self::NotFound
            | Self::FailedPrecondition
            | Self::Unauthenticated
            | Self::InvalidInput
            | Self::Cancelled
            | Self::Internal => false,
        }
    }
}

/// An error and its causes in one line, each text once: many errors repeat their source.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    followed_by_causes(error.to_string(), error.source())
}

/// `message`, then `cause` and its causes, without texts that already appeared.
#[must_use]
pub fn followed_by_causes(message: impl Into<String>, cause: Option<&dyn Error>) -> String {
    let mut reported = message.into();
    let mut next = cause;
    while let Some(cause) = next {
        let reason = cause.to_string();
        if !reported.contains(&reason) {
            reported = format!("{reported}: {reason}");
        }
        next = cause.source();
    }
    reported
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{message}")]
    struct Caused {
        message: &'static str,
        source: io::Error,
    }

    #[test]
    fn a_cause_is_reported_unless_its_effect_has_reported_it() {
        for (message, expected) in [
            ("no answer", "no answer: connection reset"),
            ("no answer (connection reset)", "no answer (connection reset)"),
        ] {
            let error = Caused { message, source: io::Error::other("connection reset") };
            assert_eq!(with_causes(&error), expected);
            assert_eq!(followed_by_causes("GET failed", Some(&error)), format!("GET failed: {expected}"));
        }
    }

    #[test]
    fn no_kind_is_left_out_or_named_otherwise() {
        for (at, kind) in FailureKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
            assert_eq!(kind.name(), format!("{kind:?}"));
        }
    }
}
