//! From kinds of failure to gRPC status codes, in one place.

use std::time::Duration;

use domain::FailureKind;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The status for a failure. A transient one carries a `google.rpc.RetryInfo`
/// if it is known how long to wait.
#[must_use]
pub fn status(kind: FailureKind, message: impl Into<String>, retry_after: Option<Duration>) -> Status {
    let mut details = ErrorDetails::new();
    if let Some(delay) = retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code(kind), message, details)
}

const fn code(kind: FailureKind) -> Code {
    match kind {
        FailureKind::InvalidArgument => Code::InvalidArgument,
        FailureKind::NotFound => Code::NotFound,
        FailureKind::FailedPrecondition => Code::FailedPrecondition,
        FailureKind::Unauthenticated => Code::Unauthenticated,
        FailureKind::InvalidInput => Code::DataLoss,
        FailureKind::Unavailable => Code::Unavailable,
        FailureKind::Exhausted => Code::ResourceExhausted,
        FailureKind::TimedOut => Code::DeadlineExceeded,
        FailureKind::Conflict => Code::Aborted,
        FailureKind::Cancelled => Code::Cancelled,
        FailureKind::Internal => Code::Internal,
    }
}

/// The name of a status code as the gRPC specification spells it.
#[must_use]
pub const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
