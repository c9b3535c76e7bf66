//! `ProvenanceService`: where staged data comes from, as it is on record.

use std::sync::Arc;

use async_trait::async_trait;
use contract::{FieldViolations, message::day_from_proto};
use domain::{CompanyId, date_window::parse_day};
use proto::provenance::v1::{
    GetDaySourcesRequest, GetDaySourcesResponse, ListCompanyVersionsRequest, ListCompanyVersionsResponse,
    provenance_service_server::ProvenanceService,
};
use tonic::{Request, Response, Status};
use warehouse::ProvenanceReader;

use crate::{error::Error, provenance_message as message};

const DEFAULT_PAGE_SIZE: u32 = 100;
const MAX_PAGE_SIZE: u32 = 1_000;

/// Serves `ProvenanceService`.
pub(crate) struct ProvenanceHost {
    pub(crate) provenance: Arc<dyn ProvenanceReader>,
}

#[async_trait]
impl ProvenanceService for ProvenanceHost {
    async fn get_day_sources(
        &self,
        request: Request<GetDaySourcesRequest>,
    ) -> Result<Response<GetDaySourcesResponse>, Status> {
        let day = day_from_proto("activity_date", &request.into_inner().activity_date)?;
        let sources = self.provenance.day_sources(day).await.map_err(Error::from)?;
        Ok(Response::new(message::day_sources(sources)))
    }

    async fn list_company_versions(
        &self,
        request: Request<ListCompanyVersionsRequest>,
    ) -> Result<Response<ListCompanyVersionsResponse>, Status> {
        Ok(Response::new(self.versions(request.into_inner()).await?))
    }
}

impl ProvenanceHost {
    async fn versions(
        &self,
        asked: ListCompanyVersionsRequest,
    ) -> Result<ListCompanyVersionsResponse, Error> {
        let ListCompanyVersionsRequest { company_id, page_size, page_token } = asked;
        let company =
            CompanyId::parse(&company_id).map_err(|problem| FieldViolations::of("company_id", problem))?;
        let limit = contract::page_size(page_size, DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
            .ok_or_else(|| FieldViolations::of("page_size", format!("{page_size} is negative")))?;
        let before = if page_token.is_empty() {
            None
        } else {
            let problem = "is none that this service gave; leave it empty to start over";
            Some(parse_day(&page_token).ok_or_else(|| FieldViolations::of("page_token", problem))?)
        };
        // One more than requested, to learn whether another page follows.
        let found = self.provenance.company_versions(&company, before, limit.saturating_add(1)).await?;
        if found.is_empty() && before.is_none() {
            return Err(Error::NotInCrm(company));
        }
        Ok(message::versions(found, limit))
    }
}
