//! What is logged while alerts are delivered. A separate process, since a process has only one log.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use std::sync::{Arc, Mutex};

use proto::notifier::v1::DeliveryState::{Delivered, Refused, Retryable};
use support::{Answer, Notifier, SECRET_PATH, Webhook, alert, states};

/// The captured log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_holds_a_url_however_a_delivery_ends() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let quoting = || Answer::status(400).body(format!("Cannot POST {SECRET_PATH}"));
    let webhook = Webhook::answering([Answer::status(503), Answer::status(200), quoting()]).await;
    let notifier = Notifier::with(&[
        webhook.flag("slack-webhook-url"),
        format!("--teams-webhook-url=http://{vacant}{SECRET_PATH}"),
    ])
    .await;

    assert_eq!(states(&notifier.notify(alert("a")).await), [Retryable, Retryable]);
    assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered, Retryable]);
    assert_eq!(states(&notifier.notify(alert("b")).await), [Refused, Retryable]);

    let log = log.text();
    for line in ["alert delivered", "alert not delivered yet", "alert refused"] {
        assert!(log.contains(line), "{line} is missing in {log}");
    }
    assert!(!log.to_lowercase().contains("secret"), "{log}");
}
