//! `ReconciliationService`: converts between messages and the operations behind them.

use std::pin::Pin;

use async_trait::async_trait;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use proto::reconciliation::v1::{
    ExplainRequest, ExplainResponse, PreviewRequest, PreviewResponse, ReconcileRequest, ReconcileResponse,
    reconciliation_service_server::ReconciliationService,
};
use tonic::{Request, Response, Status};

use crate::{
    error::Error, explain::Explainer, explain_message, preview::Previewer, preview_message,
    reconcile::Reconciler, reconcile_message,
};

/// The gRPC layer of the reconciler, the previewer and the explainer.
pub(crate) struct ReconciliationHost {
    pub(crate) reconciler: Reconciler,
    pub(crate) previewer: Previewer,
    pub(crate) explainer: Explainer,
}

#[async_trait]
impl ReconciliationService for ReconciliationHost {
    type ReconcileStream = Pin<Box<dyn Stream<Item = Result<ReconcileResponse, Status>> + Send>>;
    type PreviewStream = Pin<Box<dyn Stream<Item = Result<PreviewResponse, Status>> + Send>>;

    async fn reconcile(
        &self,
        request: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        let asked = reconcile_message::parse(request.get_ref())?;
        let findings = self.reconciler.clone().reconcile(asked)?;
        Ok(Response::new(findings.map_ok(reconcile_message::message).map_err(Status::from).boxed()))
    }

    async fn preview(
        &self,
        request: Request<PreviewRequest>,
    ) -> Result<Response<Self::PreviewStream>, Status> {
        let asked = preview_message::parse(request.get_ref())?;
        let steps = self.previewer.clone().preview(asked)?;
        let messages = |step| stream::iter(preview_message::messages(step).into_iter().map(Ok::<_, Error>));
        Ok(Response::new(steps.map_ok(messages).try_flatten().map_err(Status::from).boxed()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let key = explain_message::parse(request.get_ref())?;
        let (explanation, files) = self.explainer.explain(&key).await?;
        let explanation = Some(explain_message::explanation(explanation, files));
        Ok(Response::new(ExplainResponse { explanation }))
    }
}
