//! Explanations of company-days: asks the service that landed what they are made of.

use proto::{
    pipeline::v1::ExplainResponse,
    reconciliation::v1::{ExplainRequest, reconciliation_service_client::ReconciliationServiceClient},
};
use runtime::Channel;
use tonic::Status;

use crate::{error::Error, forwarded};

/// Explains company-days.
#[derive(Debug, Clone)]
pub(crate) struct Explainer {
    pub(crate) service: String,
    pub(crate) channel: Channel,
}

impl Explainer {
    /// The service's explanation.
    ///
    /// # Errors
    /// As the service answers.
    pub(crate) async fn explain(&self, asked: ExplainRequest) -> Result<ExplainResponse, Status> {
        let mut client = ReconciliationServiceClient::new(self.channel.clone());
        let answer = client
            .explain(asked)
            .await
            .map_err(|status| forwarded::failure(&self.service, status, Error::CannotExplain))?;
        Ok(ExplainResponse { explanation: answer.into_inner().explanation })
    }
}
