//! Calls that the coordinator makes in place of its caller: whom they go to, and how they fail.

use std::collections::HashMap;

use domain::run::STAGE_CALL_PRODUCT_API;
use runtime::Channel;
use tonic::{Code, Response, Status};

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

/// Passes questions on to the service that calls the product API.
#[derive(Debug, Clone)]
pub(crate) struct Forwarder {
    pub(crate) service: String,
    pub(crate) channel: Channel,
}

impl Forwarder {
    /// The service's answer to a `call`.
    ///
    /// # Errors
    /// As the service answers; [`failure`] says what becomes of it.
    pub(crate) async fn ask<T>(
        &self,
        call: impl AsyncFnOnce(Channel) -> Result<Response<T>, Status>,
        unknown_call: impl FnOnce(String) -> Error,
    ) -> Result<T, Status> {
        let answer = call(self.channel.clone()).await;
        Ok(answer.map_err(|status| failure(&self.service, status, unknown_call))?.into_inner())
    }
}
