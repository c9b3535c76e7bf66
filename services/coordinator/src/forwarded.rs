//! Calls that the coordinator makes in place of its caller: whom they go to, and how they fail.

use std::collections::HashMap;

use domain::run::STAGE_CALL_PRODUCT_API;
use runtime::Channel;
use tonic::{Code, Status};

use crate::{
    error::Error,
    pipeline::Pipeline,
    stage_call::{access_refusal, connection_failure},
};

/// The service that calls the product API, by its name and the connection to it; `None` if no
/// stage of the pipeline does.
pub(crate) fn product_api_service(
    pipeline: &Pipeline,
    services: &HashMap<String, Channel>,
) -> Option<(String, Channel)> {
    let stage = pipeline.stages.iter().find(|stage| stage.name == STAGE_CALL_PRODUCT_API)?;
    Some((stage.service.clone(), services.get(&stage.service)?.clone()))
}

/// The service's own answer, or the failure of the connection to it. UNIMPLEMENTED is not
/// passed on: to the caller it would say that this coordinator does not know the call. Nor is a
/// refusal to let the coordinator in: the caller's own credential is good.
pub(crate) fn failure(service: &str, status: Status, unknown_call: impl FnOnce(String) -> Error) -> Status {
    if let Some(problem) = access_refusal(service, &status) {
        return Status::failed_precondition(problem);
    }
    match connection_failure(service, &status) {
        Some(problem) => Status::unavailable(problem),
        None if status.code() == Code::Unimplemented => unknown_call(service.to_owned()).into(),
        None => status,
    }
}
