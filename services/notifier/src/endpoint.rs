//! The channels for alerts.

use std::fmt;

use proto::notifier::v1::Channel as ChannelProto;
use reqwest::Client;
use secret::{Hidden, Secret};
use url::Url;

use crate::{alert::Alert, payload, signature::SigningKey};

/// A way to reach people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// A Slack incoming webhook.
    Slack,
    /// A Microsoft Teams Workflows webhook.
    Teams,
    /// A plain JSON webhook.
    Webhook,
}

impl Channel {
    /// The name under which deliveries are recorded. Renaming one repeats alerts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Webhook => "webhook",
        }
    }

    /// The channel in the contract.
    pub(crate) const fn to_proto(self) -> ChannelProto {
        match self {
            Self::Slack => ChannelProto::Slack,
            Self::Teams => ChannelProto::Teams,
            Self::Webhook => ChannelProto::Webhook,
        }
    }

    /// The JSON payload that the channel expects.
    pub(crate) fn payload(self, alert: &Alert) -> serde_json::Value {
        match self {
            Self::Slack => payload::slack::message(alert),
            Self::Teams => payload::teams::message(alert),
            Self::Webhook => payload::webhook::message(alert),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A channel and its address.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// The channel.
    pub(crate) channel: Channel,
    /// Where to post.
    pub(crate) url: WebhookUrl,
    /// Posts there and nowhere else.
    pub(crate) client: Client,
    /// Signs the payload, if set.
    pub(crate) signing_key: Option<SigningKey>,
}

/// A webhook's URL. Knowing it is enough to post there, so it is never printed.
#[derive(Debug)]
pub(crate) struct WebhookUrl(Hidden<Url>);

/// Why a text is not a webhook's URL, without the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhookUrl {
    /// It does not parse.
    #[error("is no URL: {0}")]
    Malformed(url::ParseError),
    /// It is not a web address.
    #[error("has to begin with https:// or http://")]
    Scheme,
}

impl WebhookUrl {
    pub(crate) fn parse(secret: &Secret) -> Result<Self, InvalidWebhookUrl> {
        let url = Url::parse(secret.expose()).map_err(InvalidWebhookUrl::Malformed)?;
        // Such a URL always has a host: it does not parse without one.
        if matches!(url.scheme(), "https" | "http") {
            Ok(Self(Hidden::new(url)))
        } else {
            Err(InvalidWebhookUrl::Scheme)
        }
    }

    /// The URL itself, for the one place that posts to it.
    pub(crate) const fn expose(&self) -> &Url {
        self.0.expose()
    }
}
