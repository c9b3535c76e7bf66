//! Why a channel did not accept a message.

use std::time::Duration;

use domain::FailureKind;
use egress::Refusal;
use reqwest::StatusCode;

/// Why a channel did not accept a message. Never contains its URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// No answer came in time.
    #[error("gave no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection failed.
    #[error("could not be reached: {0}")]
    Unreachable(String),
    /// Requests may not go to the address that its name has now. It can be sent later:
    /// once that is allowed, or once the name has its right address again.
    #[error("was not asked: {0}")]
    NotAllowed(Refusal),
    /// It asks to wait or has failed itself: 429 or 5xx.
    #[error("answered {status}")]
    Overloaded {
        /// The answer's status.
        status: StatusCode,
        /// How long it asks to wait, if it says so.
        retry_after: Option<Duration>,
    },
    /// It rejects this message.
    #[error("refused with {status}{}", .reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Refused {
        /// The answer's status.
        status: StatusCode,
        /// Its error code, for example Slack's `no_service`.
        reason: Option<String>,
    },
    /// This service stopped before the message was delivered.
    #[error("was not reached before the notifier had to stop")]
    Stopping,
}

impl SendError {
    /// Whether the same message may be accepted later.
    pub(crate) const fn is_retryable(&self) -> bool {
        match self {
            Self::TimedOut(_)
            | Self::Unreachable(_)
            | Self::NotAllowed(_)
            | Self::Overloaded { .. }
            | Self::Stopping => true,
            Self::Refused { .. } => false,
        }
    }

    /// Its kind for traces: the answer's status, or why none came.
    pub(crate) fn error_type(&self) -> &str {
        match self {
            Self::TimedOut(_) => FailureKind::TimedOut.name(),
            Self::Unreachable(_) => FailureKind::Unavailable.name(),
            Self::NotAllowed(_) => FailureKind::FailedPrecondition.name(),
            Self::Overloaded { status, .. } | Self::Refused { status, .. } => status.as_str(),
            Self::Stopping => FailureKind::Cancelled.name(),
        }
    }

    /// How long the channel asks to wait, if it says so.
    pub(crate) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => *retry_after,
            Self::TimedOut(_)
            | Self::Unreachable(_)
            | Self::NotAllowed(_)
            | Self::Refused { .. }
            | Self::Stopping => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_final() {
        let refused = SendError::Refused { status: StatusCode::NOT_FOUND, reason: Some("no_service".into()) };
        assert_eq!(refused.to_string(), "refused with 404 Not Found (no_service)");
        assert!(!refused.is_retryable());
        for error in [
            SendError::Overloaded { status: StatusCode::TOO_MANY_REQUESTS, retry_after: None },
            SendError::TimedOut(Duration::from_secs(1)),
            SendError::Unreachable("connection refused".to_owned()),
            SendError::Stopping,
        ] {
            assert!(error.is_retryable(), "{error}");
        }
    }
}
