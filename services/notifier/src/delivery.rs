//! Delivers alerts to every channel once.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use opentelemetry::KeyValue;
use runtime::Clock;
use telemetry::metrics::ALERT_DELIVERIES;
use tracing::{error, info, warn};
use warehouse::AlertLog;

use crate::{
    alert::Alert,
    endpoint::{Channel, Endpoint},
    error::Result,
    key_locks::KeyLocks,
    send_error::SendError,
    sender::Sender,
};

/// The outcome of an alert on one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The channel.
    pub(crate) channel: Channel,
    /// Whether it has accepted the alert, now or earlier.
    pub(crate) outcome: std::result::Result<(), SendError>,
}

/// Delivers alerts.
pub(crate) struct Notifier {
    endpoints: Vec<Endpoint>,
    sender: Sender,
    warehouse: Arc<dyn AlertLog>,
    clock: Arc<dyn Clock>,
    in_delivery: KeyLocks,
}

impl Notifier {
    pub(crate) fn new(
        endpoints: Vec<Endpoint>,
        sender: Sender,
        warehouse: Arc<dyn AlertLog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { endpoints, sender, warehouse, clock, in_delivery: KeyLocks::default() }
    }

    /// Delivers an alert to each configured channel that has not accepted it
    /// yet, all at the same time. The coordinator logs
    /// those that no channel takes.
    pub(crate) async fn deliver(&self, alert: &Alert) -> Result<Vec<Delivery>> {
        if self.endpoints.is_empty() {
            return Ok(Vec::new());
        }
        // Held until the deliveries are recorded: a concurrent request for the
        // same alert then finds the record instead of sending again.
        let _in_delivery = self.in_delivery.lock(&alert.message.alert_key).await;
        let delivered = self.warehouse.delivered_channels(&alert.message.alert_key).await?;
        let deliveries = self.endpoints.iter().map(|endpoint| async {
            let channel = endpoint.channel;
            let is_delivered = delivered.iter().any(|name| name == channel.as_str());
            let outcome = if is_delivered { Ok(()) } else { self.deliver_to(endpoint, alert).await };
            Delivery { channel, outcome }
        });
        Ok(join_all(deliveries).await)
    }

    async fn deliver_to(&self, endpoint: &Endpoint, alert: &Alert) -> std::result::Result<(), SendError> {
        let Endpoint { channel, .. } = endpoint;
        let body = Bytes::from(channel.payload(alert).to_string());
        let outcome = self.sender.send(endpoint, body).await;
        count(*channel, &outcome);
        match &outcome {
            Ok(()) => {
                info!(%channel, alert_key = alert.message.alert_key, "alert delivered");
                self.record(*channel, alert).await;
            }
            Err(error) if error.is_retryable() => {
                warn!(%channel, alert_key = alert.message.alert_key, %error, "alert not delivered yet");
            }
            Err(error) => {
                error!(%channel, alert_key = alert.message.alert_key, %error, "alert refused: check the channel's webhook URL");
            }
        }
        outcome
    }

    /// The alert has been delivered: a failure to record that must not make the caller send it again.
    async fn record(&self, channel: Channel, alert: &Alert) {
        let recorded = self
            .warehouse
            .record_delivery(&alert.message.alert_key, channel.as_str(), self.clock.now())
            .await;
        if let Err(error) = recorded {
            error!(%channel, alert_key = alert.message.alert_key, %error, "a delivery could not be recorded: it may be repeated");
        }
    }
}

fn count(channel: Channel, outcome: &std::result::Result<(), SendError>) {
    let outcome = match outcome {
        Ok(()) => "delivered",
        Err(error) if error.is_retryable() => "retryable",
        Err(_) => "refused",
    };
    let attributes = [KeyValue::new("channel", channel.as_str()), KeyValue::new("outcome", outcome)];
    ALERT_DELIVERIES.counter().add(1, &attributes);
}
