//! Calls that the coordinator makes in place of its caller: whom they go to, and how they fail.

use std::collections::HashMap;

use domain::run::STAGE_CALL_PRODUCT_API;
use runtime::Channel;
use tonic::{Response, Status};

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

/// The service's own answer, or the failure of the connection to it. That the service does not
/// know the call is not passed on: to the caller it would say so of this coordinator. Nor is a
/// refusal to let the coordinator in: the caller's own credential is good.
pub(crate) fn failure(service: &str, status: Status, unknown_call: impl FnOnce(String) -> Error) -> Status {
    if access::is_unknown_method(&status) {
        return unknown_call(service.to_owned()).into();
    }
    if let Some(problem) = access_refusal(service, &status) {
        return Status::failed_precondition(problem);
    }
    match connection_failure(service, &status) {
        Some(problem) => Status::unavailable(problem),
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

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_service_that_is_older_than_the_call_is_named_with_and_without_a_policy() {
        let unknown = access::Refusal::NoSuchMethod {
            names: vec!["dns:coordinator".to_owned()],
            method: "company_activity.provenance.v1.ProvenanceService/GetDaySources".to_owned(),
        };
        for status in [unknown.into(), Status::unimplemented("")] {
            let told = failure("ingest-api", status, Error::UnknownProvenance);
            assert_eq!(told.code(), Code::FailedPrecondition);
            assert!(told.message().starts_with("ingest-api cannot say where staged data comes"), "{told}");
        }
        let denied = access::Refusal::Denied {
            names: vec!["dns:coordinator".to_owned()],
            method: "company_activity.provenance.v1.ProvenanceService/GetDaySources".to_owned(),
            needed: &[access::Role::Stage],
        };
        let told = failure("ingest-api", denied.into(), Error::UnknownProvenance);
        assert!(told.message().starts_with("ingest-api does not let the coordinator in"), "{told}");
    }
}
