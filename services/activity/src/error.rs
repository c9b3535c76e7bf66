//! What can go wrong with a request, and what the caller learns about it.

use std::time::Duration;

use contract::{FieldViolations, status, undisclosed};
use domain::{ChurnChange, FactKey, FailureKind};
use tonic::Status;
use tracing::error;
use uuid::Uuid;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request is invalid.
    #[error(transparent)]
    InvalidRequest(#[from] FieldViolations),
    /// No day is published yet.
    #[error("nothing is published yet: the pipeline has to succeed once before there is a newest day")]
    NothingPublished,
    /// The fact has no such row.
    #[error(
        "company {:?} has no row on {}: the day is not published, or the company was unknown on it",
        .0.company_id.as_str(), .0.activity_date
    )]
    NoSuchRow(FactKey),
    /// The rows of a list are no longer those of its first page.
    #[error(
        "rows of the requested days were published anew since the first page: start again without page_token, \
         name a run with as_of_run_id, or use ExportCompanyActivity, which reads one state however long it takes"
    )]
    PublishedAnew,
    /// The state that was asked for is not on record.
    #[error(transparent)]
    NotOnRecord(warehouse::Error),
    /// Nothing tells how churn risks have changed.
    #[error(transparent)]
    ChangeUnknown(warehouse::Error),
    /// The drain timed out.
    #[error("the service is stopping: ask again")]
    Stopping,
    /// The reader stalled.
    #[error(
        "the export was ended: its reader took nothing for {}; export fewer days at a time, read faster, \
         or raise --export-stall-timeout",
        humantime::format_duration(*.0)
    )]
    Stalled(Duration),
    /// Storage failed.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
}

/// The result of answering a request.
pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Why a read as of `as_of`, if that is a run, has failed.
    pub(crate) fn of_read(cause: warehouse::Error, as_of: Option<Uuid>) -> Self {
        match cause {
            warehouse::Error::NotFound(_) | warehouse::Error::Precondition(_) if as_of.is_some() => {
                Self::NotOnRecord(cause)
            }
            _ => Self::Warehouse(cause),
        }
    }

    /// Why a read of churn risks that have changed so, if that was asked for, has failed.
    pub(crate) fn of_change(cause: warehouse::Error, change: Option<ChurnChange>) -> Self {
        match cause {
            warehouse::Error::Precondition(_) if change.is_some() => Self::ChangeUnknown(cause),
            _ => Self::Warehouse(cause),
        }
    }

    /// The kind of failure.
    pub(crate) const fn kind(&self) -> FailureKind {
        match self {
            Self::InvalidRequest(_) => FailureKind::InvalidArgument,
            Self::NothingPublished | Self::NoSuchRow(_) => FailureKind::NotFound,
            Self::PublishedAnew => FailureKind::Conflict,
            Self::NotOnRecord(cause) | Self::ChangeUnknown(cause) => cause.kind(),
            Self::Stalled(_) => FailureKind::TimedOut,
            Self::Stopping | Self::Warehouse(warehouse::Error::Unavailable(_)) => FailureKind::Unavailable,
            // Reads break no rule of the warehouse, so any other error is a defect.
            Self::Warehouse(_) => FailureKind::Internal,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        match error {
            Error::InvalidRequest(violations) => violations.into(),
            // The message names the kind of failure; the cause was logged where it occurred.
            Error::Warehouse(warehouse::Error::Unavailable(_) | warehouse::Error::Internal(_)) => {
                status(kind, error.to_string(), None)
            }
            Error::Warehouse(cause) => {
                error!(error = %cause, "the warehouse refused a read");
                undisclosed(kind, "the activity service")
            }
            Error::NothingPublished
            | Error::NoSuchRow(_)
            | Error::PublishedAnew
            | Error::NotOnRecord(_)
            | Error::ChangeUnknown(_)
            | Error::Stopping
            | Error::Stalled(_) => status(kind, error.to_string(), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{CompanyId, date_window::parse_day};
    use tonic::Code;

    use super::*;

    fn reported(error: Error) -> (Code, String) {
        let status = Status::from(error);
        (status.code(), status.message().to_owned())
    }

    #[test]
    fn an_invalid_request_names_its_field() {
        let (code, message) = reported(FieldViolations::of("page_size", "is negative").into());
        assert_eq!((code, message.as_str()), (Code::InvalidArgument, "page_size: is negative"));
    }

    #[test]
    fn nothing_published_is_not_found() {
        let (code, message) = reported(Error::NothingPublished);
        assert_eq!(code, Code::NotFound);
        assert!(message.starts_with("nothing is published yet"), "{message}");
    }

    #[test]
    fn a_missing_row_is_not_found_and_named() {
        let key = FactKey {
            company_id: CompanyId::parse("acme").unwrap(),
            activity_date: parse_day("2026-02-01").unwrap(),
        };
        let (code, message) = reported(Error::NoSuchRow(key));
        assert_eq!(code, Code::NotFound);
        assert!(message.starts_with("company \"acme\" has no row on 2026-02-01"), "{message}");
    }

    #[test]
    fn a_stopping_service_asks_to_be_asked_again() {
        assert_eq!(reported(Error::Stopping).0, Code::Unavailable);
    }

    #[test]
    fn what_the_database_says_stays_here() {
        let secret = || "SELECT password FROM users".into();
        for (cause, expected) in [
            (warehouse::Error::Unavailable(secret()), Code::Unavailable),
            (warehouse::Error::Internal(secret()), Code::Internal),
            (warehouse::Error::Precondition("SELECT 1".to_owned()), Code::Internal),
        ] {
            let (code, message) = reported(cause.into());
            assert_eq!(code, expected);
            assert!(!message.contains("SELECT"), "{message}");
        }
    }
}
