//! Converts kinds of failure to gRPC statuses and back, in one place.

use std::{error::Error as _, time::Duration};

use domain::{FailureKind, failure::followed_by_causes};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The longest message of a status, in bytes. A status travels in HTTP headers,
/// percent-encoded and again among its details, and clients accept 8 KiB of them: of a
/// longer one nothing would arrive, not even its code.
const MAX_MESSAGE_BYTES: usize = 1_800;

/// The status for a failure, its message cut to fit a response's headers. A transient
/// failure carries a `google.rpc.RetryInfo` if the wait is known.
#[must_use]
pub fn status(kind: FailureKind, message: impl Into<String>, retry_after: Option<Duration>) -> Status {
    let mut details = ErrorDetails::new();
    if let Some(delay) = retry_after {
        details.set_retry_info(Some(delay));
    }
    Status::with_error_details(code(kind), cut(message.into(), MAX_MESSAGE_BYTES), details)
}

/// The status for a failure that its caller can do nothing about: the log of `service` has
/// the details.
#[must_use]
pub fn undisclosed(kind: FailureKind, service: &str) -> Status {
    status(kind, format!("internal error: see the log of {service}"), None)
}

/// Whether a call failed in transport rather than at the server: only a status created
/// on this side knows its causing error.
#[must_use]
pub fn is_transport_failure(status: &Status) -> bool {
    status.source().is_some()
}

/// The message of a status with its causes.
#[must_use]
pub fn message_with_causes(status: &Status) -> String {
    followed_by_causes(status.message(), status.source())
}

/// Whether a code stands for a transient failure.
#[must_use]
pub fn is_transient(answer: Code) -> bool {
    FailureKind::ALL.into_iter().any(|kind| kind.is_transient() && code(kind) == answer)
}

/// Truncates a text to some bytes, never inside a character.
pub(crate) fn cut(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
        text.push_str("...");
    }
    text
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
