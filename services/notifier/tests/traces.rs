//! What a collector and metrics receive about deliveries. A separate process,
//! since a process has only one telemetry.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use clap::Parser;
use proto::notifier::v1::DeliveryState::{Delivered, Refused, Retryable};
use runtime::{LogWriter, Telemetry, TelemetryArgs};
use support::{Answer, Notifier, SECRET_PATH, Webhook, alert, states};
use test_telemetry::{Metrics, Receiver};
use tracing::{Instrument, info_span};

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(flatten)]
    telemetry: TelemetryArgs,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_to_a_webhook_is_reported_without_its_url() {
    let collector = Receiver::start().await.unwrap();
    let line = CommandLine::parse_from(["test", "--otlp-endpoint", &collector.endpoint()]);
    let telemetry = Telemetry::start("notifier", &line.telemetry, LogWriter::stdout()).unwrap();
    let metrics = Metrics::install().unwrap();
    let slack = Webhook::answering([Answer::status(503), Answer::status(200)]).await;
    let plain = Webhook::answering(vec![Answer::status(404).body("no_service"); 2]).await;
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let notifier = Notifier::with(&[
        slack.flag("slack-webhook-url"),
        format!("--teams-webhook-url=http://{vacant}{SECRET_PATH}"),
        plain.flag("webhook-url"),
    ])
    .await;

    // Like the outbox: sends again while a channel may still accept the alert.
    let reporting = info_span!("telling");
    for outcomes in [[Retryable, Retryable, Refused], [Delivered, Retryable, Refused]] {
        let reported = notifier.notify(alert("a")).instrument(reporting.clone()).await;
        assert_eq!(states(&reported), outcomes);
    }
    drop(reporting);
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.unwrap();

    let reporting = collector.span(|span| span.name == "telling").await.unwrap();
    let trace = collector
        .trace(&reporting.trace_id, |trace| {
            trace.spans().iter().filter(|span| span.name.starts_with("POST ")).count() == 6
        })
        .await
        .unwrap();
    let mut requests: Vec<_> = trace
        .spans()
        .iter()
        .filter(|span| span.name.starts_with("POST "))
        .map(|span| {
            assert_eq!((&*span.kind, &*span.attributes["http.request.method"]), ("client", "POST"));
            assert_eq!(span.error.as_ref(), span.causes.first(), "{span:?}");
            let attribute = |name| span.attributes.get(name).map_or("", String::as_str);
            (
                span.name.as_str(),
                attribute("http.response.status_code"),
                attribute("error.type"),
                span.error.is_some(),
            )
        })
        .collect();
    requests.sort_unstable();
    assert_eq!(
        requests,
        [
            ("POST slack", "200", "", false),
            ("POST slack", "503", "503", true),
            ("POST teams", "", "Unavailable", true),
            ("POST teams", "", "Unavailable", true),
            ("POST webhook", "404", "404", true),
            ("POST webhook", "404", "404", true),
        ],
        "{trace}"
    );
    let shown = format!("{:?}", trace.spans()).to_lowercase();
    for secret in ["secret", "127.0.0.1", &slack.url(""), &vacant.port().to_string()] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }

    for (channel, outcome, count) in [
        ("slack", "delivered", 1),
        ("slack", "retryable", 1),
        ("teams", "retryable", 2),
        ("webhook", "refused", 2),
    ] {
        let labels = [("channel", channel), ("outcome", outcome)];
        assert_eq!(metrics.count("company_activity_alert_deliveries_total", &labels), count, "{channel}");
    }
    for (peer, status, count) in [
        ("slack", Some("503"), 1),
        ("slack", Some("200"), 1),
        ("teams", None, 2),
        ("webhook", Some("404"), 2),
    ] {
        let mut labels = vec![("http_request_method", "POST"), ("peer", peer)];
        labels.extend(status.map(|status| ("http_response_status_code", status)));
        assert_eq!(metrics.count("http_client_request_duration_seconds", &labels), count, "{peer}");
    }
}
