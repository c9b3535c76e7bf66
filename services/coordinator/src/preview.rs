//! The preview of a backfill: calls the service that fetches from the product API.

use contract::message::window_to_proto;
use futures::{Stream, stream};
use proto::reconciliation::v1::{
    PreviewRequest, PreviewResponse, reconciliation_service_client::ReconciliationServiceClient,
};
use runtime::Channel;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{backfill_plan::BackfillPlan, error::Error, forwarded};

/// Previews backfills.
#[derive(Debug, Clone)]
pub(crate) struct Previewer {
    pub(crate) service: String,
    pub(crate) channel: Channel,
    pub(crate) shutdown: CancellationToken,
}

impl Previewer {
    /// Streams what running `plan` would change, as the service reports it.
    ///
    /// # Errors
    /// As the service answers; the stream also fails when the process shuts down.
    pub(crate) async fn preview(
        self,
        plan: &BackfillPlan,
        sample_size: u32,
    ) -> Result<impl Stream<Item = Result<PreviewResponse, Status>> + Send + use<>, Status> {
        let windows = plan.chunks.iter().map(|chunk| window_to_proto(chunk.window)).collect();
        let mut client = ReconciliationServiceClient::new(self.channel.clone());
        let answer = client.preview(PreviewRequest { windows, sample_size }).await;
        let messages = answer.map_err(|status| self.failure(status))?.into_inner();
        Ok(stream::try_unfold((self, messages), |(this, mut messages)| async move {
            let message = this.next(&mut messages).await?;
            Ok(message.map(|message| (message, (this, messages))))
        }))
    }

    async fn next(
        &self,
        messages: &mut Streaming<PreviewResponse>,
    ) -> Result<Option<PreviewResponse>, Status> {
        tokio::select! {
            message = messages.message() => message.map_err(|status| self.failure(status)),
            () = self.shutdown.cancelled() => Err(Error::ShuttingDown.into()),
        }
    }

    fn failure(&self, status: Status) -> Status {
        forwarded::failure(&self.service, status, Error::CannotPreview)
    }
}

#[cfg(test)]
mod tests {
    use domain::DateWindow;
    use tonic::Code;

    use super::*;
    use crate::backfill_plan::Selection;

    #[tokio::test]
    async fn a_service_that_is_away_is_named() {
        let channel = runtime::channel::connect("http://127.0.0.1:1").unwrap();
        let previewer =
            Previewer { service: "ingest-api".to_owned(), channel, shutdown: CancellationToken::new() };
        let window = DateWindow::parse("2026-01-01", "2026-01-02").unwrap();
        let plan = BackfillPlan::new(window, 1, &Selection::All);
        let status = previewer.preview(&plan, 1).await.err().unwrap();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().starts_with("the connection to ingest-api failed: "), "{status}");
    }
}
