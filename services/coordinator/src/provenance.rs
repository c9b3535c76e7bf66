//! `ProvenanceService`: passes questions on to the service that calls the product API.

use async_trait::async_trait;
use domain::run::STAGE_CALL_PRODUCT_API;
use proto::provenance::v1::{
    GetDaySourcesRequest, GetDaySourcesResponse, ListCompanyVersionsRequest, ListCompanyVersionsResponse,
    provenance_service_client::ProvenanceServiceClient, provenance_service_server::ProvenanceService,
};
use tonic::{Request, Response, Status};

use crate::{error::Error, forwarded::Forwarder};

/// Serves `ProvenanceService`.
pub(crate) struct ProvenanceApi {
    /// `None` if no stage calls the product API.
    pub(crate) forwarder: Option<Forwarder>,
}

impl ProvenanceApi {
    fn forwarder(&self) -> Result<&Forwarder, Error> {
        self.forwarder.as_ref().ok_or(Error::NoProvenance(STAGE_CALL_PRODUCT_API))
    }
}

#[async_trait]
impl ProvenanceService for ProvenanceApi {
    async fn get_day_sources(
        &self,
        request: Request<GetDaySourcesRequest>,
    ) -> Result<Response<GetDaySourcesResponse>, Status> {
        let asked = request.into_inner();
        let ask = async |channel| ProvenanceServiceClient::new(channel).get_day_sources(asked).await;
        Ok(Response::new(self.forwarder()?.ask(ask, Error::UnknownProvenance).await?))
    }

    async fn list_company_versions(
        &self,
        request: Request<ListCompanyVersionsRequest>,
    ) -> Result<Response<ListCompanyVersionsResponse>, Status> {
        let asked = request.into_inner();
        let ask = async |channel| ProvenanceServiceClient::new(channel).list_company_versions(asked).await;
        Ok(Response::new(self.forwarder()?.ask(ask, Error::UnknownProvenance).await?))
    }
}
