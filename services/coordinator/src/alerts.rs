//! Delivers alerts from the outbox to the notifier, at least once and under a stable key.

use std::{sync::Arc, time::Duration};

use contract::message::{alert_cause_to_proto, timestamp_to_proto};
use domain::retry_after::patient_wait;
use proto::notifier::v1::{
    Alert, ChannelDelivery, DeliveryState, NotifyRequest, notifier_service_client::NotifierServiceClient,
};
use runtime::{Channel, Clock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic_types::StatusExt;
use tracing::{Instrument, error, info, info_span, warn};
use warehouse::{AlertOutbox, NewAlert, PendingAlert, Run, RunReader};

use crate::{pipeline::FailureAlert, run_trace::RunTrace, trace_link::TraceLink};

/// How often the outbox is checked without a notification: for what another
/// replica wrote, deferred alerts, and expired claims.
const TICK: Duration = Duration::from_secs(1);

/// Delivers alerts while the process lives.
pub(crate) struct AlertDelivery {
    pub(crate) policy: FailureAlert,
    /// Without one, alerts go to the log only.
    pub(crate) notifier: Option<Channel>,
    pub(crate) outbox: Arc<dyn AlertOutbox>,
    pub(crate) runs: Arc<dyn RunReader>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Links a failed run to its trace.
    pub(crate) trace_link: Option<TraceLink>,
    /// Notified when an alert is in the outbox.
    pub(crate) alert_written: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) hard_stop: CancellationToken,
}

/// The outcome of one delivery.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Every channel has accepted the alert or never will; these refused.
    Settled { refusals: Vec<String> },
    /// A temporary problem, with the wait it asks for, if any.
    Deferred { problem: String, retry_after: Option<Duration> },
}

impl AlertDelivery {
    /// Delivers alerts until shutdown begins. Undelivered ones stay in the outbox.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        tokio::select! {
            () = self.hard_stop.cancelled() => {}
            () = self.deliver_until_shutdown() => {}
        }
        Ok(())
    }

    async fn deliver_until_shutdown(&self) {
        while !self.shutdown.is_cancelled() {
            match self.deliver_next().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => warn!(%error, "the alert outbox could not be read or written; trying again"),
            }
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = self.alert_written.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    /// Delivers one alert; returns whether there was one.
    async fn deliver_next(&self) -> warehouse::Result<bool> {
        // The claim outlives the delivery, so that no other replica delivers at the same time.
        let claim = self.policy.timeout * 2;
        let due = self.outbox.claim_due_alerts(1, claim).await?;
        let Some(pending) = due.into_iter().next() else { return Ok(false) };
        let run = self.runs.run(pending.alert.run_id).await?;
        let delivery = self.deliver(&pending, run.as_ref());
        match run.as_ref().and_then(RunTrace::of) {
            Some(trace) => trace.below(delivery).await?,
            None => delivery.await?,
        }
        Ok(true)
    }

    /// Delivers an alert, as part of the trace of the run that failed.
    async fn deliver(&self, pending: &PendingAlert, run: Option<&Run>) -> warehouse::Result<()> {
        let NewAlert { run_id, stage, attempt, .. } = &pending.alert;
        let span = info_span!(
            "alert",
            otel.name = self.policy.name,
            pipeline.run_id = %run_id,
            pipeline.stage = stage,
            pipeline.attempt = attempt,
        );
        async {
            let outcome = if let Some(notifier) = &self.notifier {
                self.notify(notifier.clone(), &pending.alert, run).await
            } else {
                log_undeliverable(&pending.alert, "no notifier is configured");
                Outcome::Settled { refusals: Vec::new() }
            };
            self.record(pending, outcome).await
        }
        .instrument(span)
        .await
    }

    async fn notify(&self, notifier: Channel, alert: &NewAlert, run: Option<&Run>) -> Outcome {
        let link = self.trace_link.as_ref().zip(run).and_then(|(link, run)| link.of(run));
        let request = NotifyRequest { alert: Some(to_proto(alert, link.unwrap_or_default())) };
        let mut client = NotifierServiceClient::new(notifier);
        match tokio::time::timeout(self.policy.timeout, client.notify(request)).await {
            Ok(Ok(response)) => outcome(&response.into_inner().deliveries),
            Ok(Err(status)) => Outcome::Deferred {
                problem: format!(
                    "{}: {}",
                    contract::code_name(status.code()),
                    contract::message_with_causes(&status)
                ),
                retry_after: status.get_details_retry_info().and_then(|info| info.retry_delay),
            },
            Err(_) => Outcome::Deferred {
                problem: format!("no answer within {:?}", self.policy.timeout),
                retry_after: None,
            },
        }
    }

    async fn record(&self, pending: &PendingAlert, outcome: Outcome) -> warehouse::Result<()> {
        let NewAlert { alert_key, run_id, stage, .. } = &pending.alert;
        let activity = self.policy.name.as_str();
        match outcome {
            Outcome::Settled { refusals } => {
                for refusal in refusals {
                    log_undeliverable(&pending.alert, &refusal);
                }
                self.outbox.settle_alert(alert_key, self.clock.now()).await?;
                info!(%run_id, %stage, alert_key, "{activity}: alert settled");
            }
            Outcome::Deferred { problem, retry_after } => {
                let backoff = self.policy.backoff.delay(pending.tries.saturating_add(1));
                let wait = patient_wait(backoff, retry_after, self.policy.backoff.max);
                self.outbox.defer_alert(alert_key, wait, &problem).await?;
                warn!(%run_id, %stage, alert_key, error = %problem, ?wait, "{activity}: alert not delivered, will be retried");
            }
        }
        Ok(())
    }
}

/// Logs as an error what people would have received.
fn log_undeliverable(alert: &NewAlert, reason: &str) {
    let NewAlert {
        alert_key,
        cause,
        pipeline,
        stage,
        attempt,
        error_code,
        error_message,
        run_id,
        business_date,
        failed_at: _,
    } = alert;
    error!(
        alert_key, cause = cause.as_str(), pipeline, stage, attempt, code = error_code, error = error_message, %run_id, %business_date, reason,
        "ALERT that reaches nobody but this log"
    );
}

fn outcome(deliveries: &[ChannelDelivery]) -> Outcome {
    let reported = |wanted: DeliveryState| {
        deliveries
            .iter()
            .filter(move |delivery| delivery.state() == wanted)
            .map(|delivery| format!("{}: {}", delivery.channel().as_str_name(), delivery.error_message))
    };
    // A state from a newer notifier arrives as unspecified: ask again.
    let passing: Vec<String> =
        reported(DeliveryState::Retryable).chain(reported(DeliveryState::Unspecified)).collect();
    if !passing.is_empty() {
        let asked = deliveries.iter().filter_map(|delivery| Duration::try_from(delivery.retry_after?).ok());
        return Outcome::Deferred { problem: passing.join("; "), retry_after: asked.max() };
    }
    if deliveries.is_empty() {
        return Outcome::Settled { refusals: vec!["the notifier has no channel".to_owned()] };
    }
    Outcome::Settled { refusals: reported(DeliveryState::Refused).collect() }
}

/// The message of an alert.
pub(crate) fn to_proto(alert: &NewAlert, trace_url: String) -> Alert {
    Alert {
        alert_key: alert.alert_key.clone(),
        pipeline: alert.pipeline.clone(),
        stage: alert.stage.clone(),
        error_message: alert.error_message.clone(),
        // A day that no run covers has no run to name.
        run_id: if alert.run_id.is_nil() { String::new() } else { alert.run_id.to_string() },
        business_date: alert.business_date.to_string(),
        fail_time: Some(timestamp_to_proto(alert.failed_at)),
        attempt: alert.attempt,
        error_code: alert.error_code.clone(),
        trace_url,
        cause: alert_cause_to_proto(alert.cause).into(),
    }
}

#[cfg(test)]
mod tests {
    use proto::notifier::v1::Channel as ChannelKind;

    use super::*;

    fn delivery(channel: ChannelKind, state: DeliveryState, error_message: &str) -> ChannelDelivery {
        ChannelDelivery {
            channel: channel.into(),
            state: state.into(),
            error_message: error_message.to_owned(),
            retry_after: None,
        }
    }

    #[test]
    fn an_alert_is_settled_once_no_channel_can_still_take_it() {
        let delivered = delivery(ChannelKind::Slack, DeliveryState::Delivered, "");
        let refused = delivery(ChannelKind::Teams, DeliveryState::Refused, "404");
        let away = delivery(ChannelKind::Webhook, DeliveryState::Retryable, "timed out");
        assert_eq!(outcome(std::slice::from_ref(&delivered)), Outcome::Settled { refusals: vec![] });
        assert_eq!(
            outcome(&[delivered.clone(), refused.clone()]),
            Outcome::Settled { refusals: vec!["CHANNEL_TEAMS: 404".to_owned()] }
        );
        assert_eq!(
            outcome(&[delivered, refused, away]),
            Outcome::Deferred { problem: "CHANNEL_WEBHOOK: timed out".to_owned(), retry_after: None }
        );
    }

    #[test]
    fn the_channel_that_asks_for_the_most_patience_gets_it() {
        let busy = |channel, seconds| ChannelDelivery {
            retry_after: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..delivery(channel, DeliveryState::Retryable, "429")
        };
        let deferred = outcome(&[busy(ChannelKind::Slack, 7), busy(ChannelKind::Teams, 30)]);
        let Outcome::Deferred { retry_after, .. } = deferred else { panic!("{deferred:?}") };
        assert_eq!(retry_after, Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_notifier_without_channels_is_reported_loudly_instead_of_asked_for_ever() {
        assert_eq!(
            outcome(&[]),
            Outcome::Settled { refusals: vec!["the notifier has no channel".to_owned()] }
        );
    }

    #[test]
    fn a_state_of_a_newer_notifier_is_asked_again() {
        let mut unknown = delivery(ChannelKind::Slack, DeliveryState::Delivered, "later");
        unknown.state = 99;
        assert!(matches!(outcome(&[unknown]), Outcome::Deferred { .. }));
    }
}
