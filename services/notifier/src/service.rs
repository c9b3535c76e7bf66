//! The gRPC layer: converts messages to alerts, and deliveries to messages.

use std::sync::Arc;

use async_trait::async_trait;
use proto::notifier::v1::{
    ChannelDelivery, DeliveryState, NotifyRequest, NotifyResponse, notifier_service_server::NotifierService,
};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};
use tracing::Instrument;

use crate::{
    alert::Alert,
    delivery::{Delivery, Notifier},
    error::Error,
};

/// Serves `NotifierService`.
pub(crate) struct NotifierGrpc {
    notifier: Arc<Notifier>,
    deliveries: TaskTracker,
}

impl NotifierGrpc {
    /// Runs every delivery as a task of `deliveries`.
    pub(crate) const fn new(notifier: Arc<Notifier>, deliveries: TaskTracker) -> Self {
        Self { notifier, deliveries }
    }
}

#[async_trait]
impl NotifierService for NotifierGrpc {
    async fn notify(&self, request: Request<NotifyRequest>) -> Result<Response<NotifyResponse>, Status> {
        let alert = Alert::try_from(request.into_inner())?;
        let notifier = Arc::clone(&self.notifier);
        // In a separate task: a caller that gives up must not interrupt between
        // a channel's answer and its record.
        let delivery = async move { notifier.deliver(&alert).await }.in_current_span();
        let deliveries = self.deliveries.spawn(delivery).await.map_err(Error::from)??;
        Ok(Response::new(NotifyResponse {
            deliveries: deliveries.into_iter().map(delivery_to_proto).collect(),
        }))
    }
}

fn delivery_to_proto(delivery: Delivery) -> ChannelDelivery {
    let (state, error) = match delivery.outcome {
        Ok(()) => (DeliveryState::Delivered, None),
        Err(error) if error.is_retryable() => (DeliveryState::Retryable, Some(error)),
        Err(error) => (DeliveryState::Refused, Some(error)),
    };
    ChannelDelivery {
        channel: delivery.channel.to_proto().into(),
        state: state.into(),
        error_message: error.as_ref().map(ToString::to_string).unwrap_or_default(),
        retry_after: error.and_then(|error| error.retry_after()).and_then(|wait| wait.try_into().ok()),
    }
}
