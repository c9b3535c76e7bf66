//! The gRPC layer: converts messages to queries, and answers to messages.

use std::time::Duration;

use async_trait::async_trait;
use contract::message::fact_row_to_proto;
use futures::{StreamExt, stream::BoxStream};
use proto::activity::v1::{
    ExportCompanyActivityRequest, ExportCompanyActivityResponse, GetChurnSummaryRequest,
    GetChurnSummaryResponse, GetCompanyActivityRequest, GetCompanyActivityResponse, GetFreshnessRequest,
    GetFreshnessResponse, ListChurnRisksRequest, ListChurnRisksResponse, ListCompanyActivityRequest,
    ListCompanyActivityResponse, ListPublicationsRequest, ListPublicationsResponse, ListPublishedDaysRequest,
    ListPublishedDaysResponse, RollUpCompanyActivityRequest, RollUpCompanyActivityResponse,
    SearchCompaniesRequest, SearchCompaniesResponse, company_activity_service_server::CompanyActivityService,
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::{
    convert, convert_overview,
    export::{Batch, batches},
    overview_request::{DaysRequest, PublicationsRequest, SearchRequest, SummaryRequest},
    queries::Queries,
    request::{ChurnRequest, ExportRequest, RollUpRequest, RowRequest, RowsRequest},
};

/// Serves `CompanyActivityService`.
pub(crate) struct ActivityService {
    queries: Queries,
    export_stall_timeout: Duration,
    hard_stop: CancellationToken,
}

impl ActivityService {
    pub(crate) const fn new(
        queries: Queries,
        export_stall_timeout: Duration,
        hard_stop: CancellationToken,
    ) -> Self {
        Self { queries, export_stall_timeout, hard_stop }
    }
}

#[async_trait]
impl CompanyActivityService for ActivityService {
    type ExportCompanyActivityStream = BoxStream<'static, Result<ExportCompanyActivityResponse, Status>>;

    async fn get_company_activity(
        &self,
        request: Request<GetCompanyActivityRequest>,
    ) -> Result<Response<GetCompanyActivityResponse>, Status> {
        let request = RowRequest::try_from(request.into_inner())?;
        let (row, publication) = self.queries.row(request).await?;
        Ok(Response::new(GetCompanyActivityResponse {
            activity: Some(fact_row_to_proto(row)),
            publication: Some(convert::publication(publication)),
        }))
    }

    async fn list_company_activity(
        &self,
        request: Request<ListCompanyActivityRequest>,
    ) -> Result<Response<ListCompanyActivityResponse>, Status> {
        let request = RowsRequest::try_from(request.into_inner())?;
        let tokens = request.tokens.clone();
        let as_of = request.as_of;
        let page = self.queries.rows(request).await?;
        Ok(Response::new(ListCompanyActivityResponse {
            activities: page.rows.into_iter().map(fact_row_to_proto).collect(),
            next_page_token: page.next.map(|next| tokens.seal(&next)).unwrap_or_default(),
            publication: page.publication.map(convert::publication),
            publications: page.publications.into_iter().map(convert::publication).collect(),
            as_of_run_id: convert::as_of_run_id(as_of, page.left_by),
        }))
    }

    async fn export_company_activity(
        &self,
        request: Request<ExportCompanyActivityRequest>,
    ) -> Result<Response<Self::ExportCompanyActivityStream>, Status> {
        let request = ExportRequest::try_from(request.into_inner())?;
        let as_of = request.as_of;
        let export = self.queries.export(request).await?;
        let messages =
            batches(export, self.export_stall_timeout, self.hard_stop.clone()).map(
                move |batch| match batch {
                    Ok(Batch { rows, state }) => Ok(convert::export_message(rows, state, as_of)),
                    Err(error) => Err(Status::from(error)),
                },
            );
        Ok(Response::new(messages.boxed()))
    }

    async fn roll_up_company_activity(
        &self,
        request: Request<RollUpCompanyActivityRequest>,
    ) -> Result<Response<RollUpCompanyActivityResponse>, Status> {
        let request = RollUpRequest::try_from(request.into_inner())?;
        let (roll_ups, publication) = self.queries.roll_up(&request).await?;
        Ok(Response::new(RollUpCompanyActivityResponse {
            roll_ups: roll_ups.into_iter().map(convert::roll_up).collect(),
            publication: publication.map(convert::publication),
        }))
    }

    async fn list_churn_risks(
        &self,
        request: Request<ListChurnRisksRequest>,
    ) -> Result<Response<ListChurnRisksResponse>, Status> {
        let request = ChurnRequest::try_from(request.into_inner())?;
        let tokens = request.tokens.clone();
        let page = self.queries.churn_risks(request).await?;
        Ok(Response::new(ListChurnRisksResponse {
            churn_risks: page.items.into_iter().map(convert::churn_risk).collect(),
            next_page_token: page.next.map(|next| tokens.seal(&next)).unwrap_or_default(),
            publication: page.publication.map(convert::publication),
        }))
    }

    async fn search_companies(
        &self,
        request: Request<SearchCompaniesRequest>,
    ) -> Result<Response<SearchCompaniesResponse>, Status> {
        let request = SearchRequest::try_from(request.into_inner())?;
        let tokens = request.tokens.clone();
        let page = self.queries.companies(request).await?;
        let next = page.next.as_ref().map(|next| tokens.seal(next)).unwrap_or_default();
        Ok(Response::new(convert_overview::companies(page, next)))
    }

    async fn get_churn_summary(
        &self,
        request: Request<GetChurnSummaryRequest>,
    ) -> Result<Response<GetChurnSummaryResponse>, Status> {
        let request = SummaryRequest::try_from(request.into_inner())?;
        Ok(Response::new(convert_overview::churn_summary(self.queries.churn_summary(request).await?)))
    }

    async fn list_published_days(
        &self,
        request: Request<ListPublishedDaysRequest>,
    ) -> Result<Response<ListPublishedDaysResponse>, Status> {
        let request = DaysRequest::try_from(request.into_inner())?;
        let days = self.queries.days(request).await?.into_iter().map(convert_overview::published_day);
        Ok(Response::new(ListPublishedDaysResponse { days: days.collect() }))
    }

    async fn list_publications(
        &self,
        request: Request<ListPublicationsRequest>,
    ) -> Result<Response<ListPublicationsResponse>, Status> {
        let request = PublicationsRequest::try_from(request.into_inner())?;
        let (history, next) = self.queries.publications(&request).await?;
        Ok(Response::new(ListPublicationsResponse {
            publications: history.entries.into_iter().map(convert_overview::day_publication).collect(),
            next_page_token: next.map(|next| request.tokens.seal(&next)).unwrap_or_default(),
            history_since: history.history_since.map(convert::timestamp),
        }))
    }

    async fn get_freshness(
        &self,
        _request: Request<GetFreshnessRequest>,
    ) -> Result<Response<GetFreshnessResponse>, Status> {
        let (freshness, yesterday) = self.queries.freshness().await?;
        Ok(Response::new(convert::freshness(freshness, yesterday)))
    }
}
