//! What people receive, over real HTTP and a real warehouse.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use proto::notifier::v1::{Alert, Channel, DeliveryState, NotifyRequest};
use serde_json::json;
use sha2::Sha256;
use support::{Answer, Notifier, SECRET_PATH, Webhook, alert, states};
use tonic::Code;
use tonic_types::StatusExt;

use DeliveryState::{Delivered, Refused, Retryable};

async fn accepting() -> Webhook {
    Webhook::answering([]).await
}

#[tokio::test]
async fn every_channel_receives_the_alert_in_its_own_form() {
    let (slack, teams, plain) =
        (accepting().await, Webhook::answering([Answer::status(202)]).await, accepting().await);
    let notifier = Notifier::with(&[
        slack.flag("slack-webhook-url"),
        teams.flag("teams-webhook-url"),
        plain.flag("webhook-url"),
    ])
    .await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Delivered; 3]);
    let channels: Vec<Channel> =
        deliveries.iter().map(proto::notifier::v1::ChannelDelivery::channel).collect();
    assert_eq!(channels, [Channel::Slack, Channel::Teams, Channel::Webhook]);
    for webhook in [&slack, &teams, &plain] {
        let received = &webhook.received()[0];
        assert_eq!(received.path, SECRET_PATH);
        assert_eq!(received.headers["content-type"], "application/json");
    }
    assert_eq!(slack.received()[0].json().pointer("/blocks/0/type"), Some(&json!("header")));
    assert_eq!(
        teams.received()[0].json().pointer("/attachments/0/content/type"),
        Some(&json!("AdaptiveCard"))
    );
    let body = plain.received()[0].json();
    assert_eq!(body["alert_key"], json!("a"));
    assert_eq!(body["error_message"], json!("companies.csv, line 7: the header is missing"));
}

#[tokio::test]
async fn the_webhook_can_verify_who_sent_the_alert() {
    let webhook = accepting().await;
    let notifier = Notifier::with(&[webhook.flag("webhook-url"), "--webhook-secret=k3y".to_owned()]).await;

    notifier.notify(alert("a")).await;

    let received = webhook.received().remove(0);
    let header = received.headers["x-company-activity-signature"].to_str().unwrap().to_owned();
    let (time, signature) = header.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(b"k3y").unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(&received.body);
    mac.verify_slice(&hex::decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn an_unsigned_webhook_gets_no_signature() {
    let webhook = accepting().await;
    Notifier::with(&[webhook.flag("webhook-url")]).await.notify(alert("a")).await;
    assert!(!webhook.received()[0].headers.contains_key("x-company-activity-signature"));
}

#[tokio::test]
async fn a_channel_that_asks_for_patience_is_tried_once_and_its_wish_is_passed_on() {
    let slack =
        Webhook::answering([Answer::status(429).header("retry-after", "7"), Answer::status(503)]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let mut wishes = Vec::new();
    for _ in 0..2 {
        let deliveries = notifier.notify(alert("a")).await;
        assert_eq!(states(&deliveries), [Retryable]);
        wishes.push(deliveries[0].retry_after.map(|wait| wait.seconds));
    }

    assert_eq!(wishes, [Some(7), None]);
    assert_eq!(slack.received().len(), 2);
    assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered]);
}

#[tokio::test]
async fn a_channel_in_trouble_is_retryable_after_one_attempt() {
    let slack = Webhook::answering(vec![Answer::status(500); 10]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Retryable]);
    assert_eq!(deliveries[0].error_message, "answered 500 Internal Server Error");
    assert_eq!(slack.received().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_final_and_gives_its_error_word() {
    let slack = Webhook::answering(vec![Answer::status(404).body("no_service\n"); 10]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Refused]);
    assert_eq!(deliveries[0].error_message, "refused with 404 Not Found (no_service)");
    assert_eq!(slack.received().len(), 1);
}

#[tokio::test]
async fn an_answer_that_quotes_the_url_is_not_passed_on() {
    let quoting = [format!("Cannot POST {SECRET_PATH}"), "tokensecret".to_owned(), "x".repeat(1 << 20)];
    for body in quoting {
        let webhook = Webhook::answering([Answer::status(400).body(body)]).await;
        let notifier = Notifier::with(&[webhook.flag("webhook-url")]).await;
        let deliveries = notifier.notify(alert("a")).await;
        assert_eq!(deliveries[0].error_message, "refused with 400 Bad Request");
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let elsewhere = accepting().await;
    let location = elsewhere.url("/elsewhere");
    for status in [301, 302, 307, 308] {
        let webhook =
            Webhook::answering([Answer::status(status).header("location", location.as_str())]).await;
        let notifier = Notifier::with(&[webhook.flag("webhook-url")]).await;
        assert_eq!(states(&notifier.notify(alert("a")).await), [Refused]);
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_unreachable_channel_is_retryable_and_its_url_stays_secret() {
    let vacant = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flag = format!("--slack-webhook-url=http://{vacant}{SECRET_PATH}");
    let notifier = Notifier::with(&[flag]).await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Retryable]);
    let message = &deliveries[0].error_message;
    assert!(message.starts_with("could not be reached"), "{message}");
    assert!(!message.to_lowercase().contains("secret"), "{message}");
}

#[tokio::test]
async fn a_name_whose_address_is_not_allowed_is_not_asked_and_may_be_later() {
    let slack = accepting().await;
    let flags = [
        slack.flag("slack-webhook-url").replace("127.0.0.1", "localhost"),
        "--webhook-allow-http".to_owned(),
    ];
    let notifier = Notifier::without_private_addresses(&flags).await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Retryable]);
    let message = &deliveries[0].error_message;
    assert!(message.starts_with("was not asked: its host is at "), "{message}");
    assert!(message.ends_with("set --webhook-allow-private"), "{message}");
    assert!(slack.received().is_empty());
}

#[tokio::test]
async fn a_silent_channel_is_retryable() {
    let silent = Webhook::closed([]).await;
    let flags = [silent.flag("webhook-url"), "--notify-timeout=50ms".to_owned()];
    let notifier = Notifier::with(&flags).await;

    let deliveries = notifier.notify(alert("a")).await;

    assert_eq!(states(&deliveries), [Retryable]);
    assert_eq!(deliveries[0].error_message, "gave no answer within 50ms");
}

#[tokio::test]
async fn the_same_alert_is_reported_once() {
    let slack = accepting().await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    for _ in 0..3 {
        assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered]);
    }
    assert_eq!(slack.received().len(), 1);

    notifier.notify(alert("b")).await;
    assert_eq!(slack.received().len(), 2);
}

#[tokio::test]
async fn the_same_alert_sent_by_many_at_once_arrives_once() {
    let slack = Webhook::closed([]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let reported = join_all((0..8).map(|_| notifier.notify(alert("a"))));
    let opened = async {
        slack.wait_for(1).await;
        slack.open();
    };
    let (reported, ()) = futures::join!(reported, opened);

    assert!(reported.iter().all(|deliveries| states(deliveries) == [Delivered]));
    assert_eq!(slack.received().len(), 1);
}

#[tokio::test]
async fn asking_again_delivers_only_what_is_missing() {
    let slack = accepting().await;
    let plain = Webhook::answering([Answer::status(500)]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url"), plain.flag("webhook-url")]).await;

    assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered, Retryable]);
    assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered, Delivered]);

    assert_eq!(slack.received().len(), 1);
    assert_eq!(plain.received().len(), 2);
}

#[tokio::test]
async fn a_slow_channel_does_not_hold_up_another() {
    let slow = Webhook::closed([]).await;
    let plain = accepting().await;
    let notifier = Notifier::with(&[slow.flag("slack-webhook-url"), plain.flag("webhook-url")]).await;

    let reported = notifier.notify(alert("a"));
    let opened = async {
        plain.wait_for(1).await;
        slow.open();
    };
    let (deliveries, ()) = futures::join!(reported, opened);

    assert_eq!(states(&deliveries), [Delivered, Delivered]);
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_cause_a_second_delivery() {
    let slack = Webhook::closed([]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let mut client = notifier.client.clone();
    let caller = tokio::spawn(async move { client.notify(NotifyRequest { alert: Some(alert("a")) }).await });
    slack.wait_for(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    slack.open();

    assert_eq!(states(&notifier.notify(alert("a")).await), [Delivered]);
    assert_eq!(slack.received().len(), 1);
}

#[tokio::test]
async fn a_notifier_that_has_to_stop_says_so() {
    let slack = Webhook::closed([]).await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let reported = notifier.notify(alert("a"));
    let stopped = async {
        slack.wait_for(1).await;
        notifier.context.hard_stop.cancel();
    };
    let (deliveries, ()) = futures::join!(reported, stopped);

    assert_eq!(states(&deliveries), [Retryable]);
}

#[tokio::test]
async fn without_a_channel_there_is_nothing_to_deliver() {
    assert!(Notifier::with(&[]).await.notify(alert("a")).await.is_empty());
}

#[tokio::test]
async fn an_alert_that_says_nothing_is_refused_field_by_field() {
    let slack = accepting().await;
    let notifier = Notifier::with(&[slack.flag("slack-webhook-url")]).await;

    let status = notifier.try_notify(Alert::default()).await.unwrap_err();

    assert_eq!(status.code(), Code::InvalidArgument);
    let details = status.get_error_details();
    let fields: BTreeSet<&str> = details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, BTreeSet::from(["alert.alert_key", "alert.pipeline", "alert.stage"]));
    assert!(slack.received().is_empty());
}
