//! What the service that calls the product API says when it fails, in words for callers of the
//! coordinator.

use tonic::{Code, Status};

use crate::{
    error::Error,
    stage_call::{access_refusal, connection_failure},
};

/// The answer of `service`, or the failure of the connection to it. UNIMPLEMENTED is not
/// passed on: to the caller it would say that this coordinator does not know the call, so it
/// becomes `unknown`. Nor is a refusal to let the coordinator in: the caller's own credential
/// is good.
pub(crate) fn failure(service: &str, status: Status, unknown: Error) -> Status {
    if let Some(problem) = access_refusal(service, &status) {
        return Status::failed_precondition(problem);
    }
    match connection_failure(service, &status) {
        Some(problem) => Status::unavailable(problem),
        None if status.code() == Code::Unimplemented => unknown.into(),
        None => status,
    }
}
