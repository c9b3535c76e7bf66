//! Errors of a notification as a whole, and what the caller learns about them.
//! Errors on a single channel are part of the answer instead.

use contract::{FieldViolations, status, undisclosed};
use domain::FailureKind;
use tokio::task::JoinError;
use tonic::Status;
use tracing::error;

/// Why there is no answer about any channel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request is invalid.
    #[error(transparent)]
    InvalidRequest(#[from] FieldViolations),
    /// Earlier deliveries cannot be read.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
    /// The delivery ended early.
    #[error("the delivery ended early: {0}")]
    Interrupted(#[from] JoinError),
}

/// The result of a notification.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The kind of failure.
    pub(crate) const fn kind(&self) -> FailureKind {
        match self {
            Self::InvalidRequest(_) => FailureKind::InvalidArgument,
            Self::Warehouse(warehouse::Error::Unavailable(_)) => FailureKind::Unavailable,
            Self::Warehouse(_) | Self::Interrupted(_) => FailureKind::Internal,
        }
    }
}

/// The boundary: errors that are not the caller's fault are logged here, once,
/// and hidden from callers.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let answer = match error {
            Error::InvalidRequest(violations) => return violations.into(),
            // The message quotes nothing; the cause was logged where it occurred.
            Error::Warehouse(warehouse::Error::Unavailable(_) | warehouse::Error::Internal(_)) => {
                status(kind, error.to_string(), None)
            }
            Error::Warehouse(_) | Error::Interrupted(_) => undisclosed(kind, "the notifier"),
        };
        error!(%error, "the notification failed");
        answer
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn an_invalid_request_names_its_field() {
        let status = Status::from(Error::from(FieldViolations::of("alert.stage", "is missing")));
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "alert.stage: is missing"));
    }

    #[test]
    fn what_the_database_says_stays_here() {
        for (cause, code) in [
            (warehouse::Error::Unavailable("SELECT".into()), Code::Unavailable),
            (warehouse::Error::Internal("SELECT".into()), Code::Internal),
        ] {
            let status = Status::from(Error::from(cause));
            assert_eq!(status.code(), code);
            assert!(!status.message().contains("SELECT"), "{status}");
        }
    }

    #[tokio::test]
    async fn a_delivery_that_ended_early_is_internal() {
        let task = tokio::spawn(std::future::pending::<()>());
        task.abort();
        let error = Error::from(task.await.unwrap_err());
        assert_eq!(Status::from(error).code(), Code::Internal);
    }
}
