//! Explanations are those of the service that landed what they are made of.

use futures::stream::BoxStream;
use proto::{
    pipeline::v1::ExplainRequest,
    provenance::v1::{
        GetDaySourcesRequest, GetDaySourcesResponse, ListCompanyVersionsRequest, ListCompanyVersionsResponse,
        UsageDelivery,
        provenance_service_server::{ProvenanceService, ProvenanceServiceServer},
    },
    reconciliation::v1::{
        ExplainRequest as ExplainDayRequest, ExplainResponse as ExplainDayResponse, Explanation,
        PreviewRequest, PreviewResponse, ReconcileRequest, ReconcileResponse,
        reconciliation_service_server::{ReconciliationService, ReconciliationServiceServer},
    },
};
use runtime::Service;
use tonic::{Code, Request, Response, Status, async_trait};

use crate::suite::Suite;

/// Explains a company-day by its key, and refuses one without a day.
struct ScriptedExplanations;

#[async_trait]
impl ReconciliationService for ScriptedExplanations {
    type ReconcileStream = BoxStream<'static, Result<ReconcileResponse, Status>>;
    type PreviewStream = BoxStream<'static, Result<PreviewResponse, Status>>;

    async fn reconcile(
        &self,
        _: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }

    async fn preview(&self, _: Request<PreviewRequest>) -> Result<Response<Self::PreviewStream>, Status> {
        Err(Status::unimplemented("not part of the script"))
    }

    async fn explain(
        &self,
        request: Request<ExplainDayRequest>,
    ) -> Result<Response<ExplainDayResponse>, Status> {
        let ExplainDayRequest { company_id, activity_date } = request.into_inner();
        if activity_date.is_empty() {
            return Err(Status::invalid_argument("activity_date is no day"));
        }
        let explanation = Explanation { company_id, activity_date, ..Explanation::default() };
        Ok(Response::new(ExplainDayResponse { explanation: Some(explanation) }))
    }
}

fn asked(activity_date: &str) -> ExplainRequest {
    ExplainRequest { company_id: "acme".to_owned(), activity_date: activity_date.to_owned() }
}

#[tokio::test]
async fn an_explanation_is_that_of_the_service() {
    let mut suite = Suite::new().await;
    let server = ReconciliationServiceServer::new(ScriptedExplanations);
    suite.replace("ingest-api", Service::new("ingest-api").with_grpc(server));
    let coordinator = suite.start("coordinator-0");
    let answer = coordinator.client.clone().explain(asked("2026-02-12")).await.unwrap().into_inner();
    let explanation = answer.explanation.unwrap();
    assert_eq!((explanation.company_id.as_str(), explanation.activity_date.as_str()), ("acme", "2026-02-12"));
    let refused = coordinator.client.clone().explain(asked("")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::InvalidArgument, "activity_date is no day"));
}

#[tokio::test]
async fn a_service_that_cannot_explain_is_named() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    // The scripted service only executes stages.
    let refused = coordinator.client.clone().explain(asked("2026-02-12")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("ingest-api cannot explain what is published"), "{refused}");
}

/// Knows one day.
struct ScriptedProvenance;

#[async_trait]
impl ProvenanceService for ScriptedProvenance {
    async fn get_day_sources(
        &self,
        request: Request<GetDaySourcesRequest>,
    ) -> Result<Response<GetDaySourcesResponse>, Status> {
        let usage = UsageDelivery { run_id: request.into_inner().activity_date, ..UsageDelivery::default() };
        Ok(Response::new(GetDaySourcesResponse { usage: Some(usage), ..GetDaySourcesResponse::default() }))
    }

    async fn list_company_versions(
        &self,
        _: Request<ListCompanyVersionsRequest>,
    ) -> Result<Response<ListCompanyVersionsResponse>, Status> {
        Err(Status::not_found("never in the CRM"))
    }
}

#[tokio::test]
async fn what_is_on_record_of_deliveries_is_passed_on() {
    let mut suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let day = || GetDaySourcesRequest { activity_date: "2026-02-12".to_owned() };
    let refused = coordinator.provenance().get_day_sources(day()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("ingest-api cannot say where staged data comes from"), "{refused}");
    let server = ProvenanceServiceServer::new(ScriptedProvenance);
    suite.replace("ingest-api", Service::new("ingest-api").with_grpc(server));
    let coordinator = suite.start("coordinator-1");
    let sources = coordinator.provenance().get_day_sources(day()).await.unwrap().into_inner();
    assert_eq!(sources.usage.unwrap().run_id, "2026-02-12");
    let asked = ListCompanyVersionsRequest { company_id: "acme".to_owned(), ..Default::default() };
    let refused = coordinator.provenance().list_company_versions(asked).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::NotFound, "never in the CRM"));
}
