//! The services that the console asks, in the name of whoever looks.

use proto::{
    activity::v1::company_activity_service_client::CompanyActivityServiceClient,
    monitoring::v1::monitoring_service_client::MonitoringServiceClient,
    pipeline::v1::pipeline_service_client::PipelineServiceClient,
    provenance::v1::provenance_service_client::ProvenanceServiceClient,
    quarantine::v1::quarantine_service_client::QuarantineServiceClient,
};
use runtime::Channel;
use secret::Secret;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
};

/// Channels to the services, which carry no credential of their own.
#[derive(Debug, Clone)]
pub struct Backend {
    /// To the coordinator.
    pub coordinator: Channel,
    /// To the read side.
    pub activity: Channel,
}

/// A channel over which every call carries a visitor's credential.
pub(crate) type Authorized = InterceptedService<Channel, Credential>;

/// What a visitor has proved to the console, and services are shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credential(Option<MetadataValue<Ascii>>);

impl Credential {
    /// None: the services ask nobody who they are.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// A token; `None` if it is no token.
    pub(crate) fn bearer(token: &Secret) -> Option<Self> {
        let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose()).parse().ok()?;
        // Not even in a debug line, and not in the table of HTTP/2's header compression.
        value.set_sensitive(true);
        Some(Self(Some(value)))
    }
}

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// The services, called as one visitor.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    coordinator: Authorized,
    activity: Authorized,
}

impl Services {
    pub(crate) fn new(backend: &Backend, credential: &Credential) -> Self {
        let authorized = |channel: &Channel| InterceptedService::new(channel.clone(), credential.clone());
        Self { coordinator: authorized(&backend.coordinator), activity: authorized(&backend.activity) }
    }

    pub(crate) fn activity(&self) -> CompanyActivityServiceClient<Authorized> {
        CompanyActivityServiceClient::new(self.activity.clone())
    }

    pub(crate) fn pipeline(&self) -> PipelineServiceClient<Authorized> {
        PipelineServiceClient::new(self.coordinator.clone())
    }

    pub(crate) fn monitoring(&self) -> MonitoringServiceClient<Authorized> {
        MonitoringServiceClient::new(self.coordinator.clone())
    }

    pub(crate) fn provenance(&self) -> ProvenanceServiceClient<Authorized> {
        ProvenanceServiceClient::new(self.coordinator.clone())
    }

    pub(crate) fn quarantine(&self) -> QuarantineServiceClient<Authorized> {
        QuarantineServiceClient::new(self.coordinator.clone())
    }
}
