//! Where alerts are sent.

use std::{path::PathBuf, time::Duration};

use egress::{Destination, Policy, Refusal, Settings};
use hmac::digest::InvalidLength;
use reqwest::Client;
use runtime::WarehouseArgs;
use secret::{Secret, SecretError, read_secret};

use crate::{
    endpoint::{Channel, Endpoint, InvalidWebhookUrl, WebhookUrl},
    signature::SigningKey,
};

/// Where alerts go. Each URL is a secret: whoever
/// knows it may post there.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Options {
    /// Slack incoming webhook that alerts are posted to
    #[arg(long, env = "SLACK_WEBHOOK_URL", value_name = "URL", hide_env_values = true)]
    pub slack_webhook_url: Option<Secret>,

    /// File that holds the Slack webhook's URL, as Kubernetes mounts secrets
    #[arg(long, env = "SLACK_WEBHOOK_URL_FILE", value_name = "FILE")]
    pub slack_webhook_url_file: Option<PathBuf>,

    /// Microsoft Teams Workflows webhook that alerts are posted to as Adaptive Cards
    #[arg(long, env = "TEAMS_WEBHOOK_URL", value_name = "URL", hide_env_values = true)]
    pub teams_webhook_url: Option<Secret>,

    /// File that holds the Teams webhook's URL
    #[arg(long, env = "TEAMS_WEBHOOK_URL_FILE", value_name = "FILE")]
    pub teams_webhook_url_file: Option<PathBuf>,

    /// Any other webhook that alerts are posted to as plain JSON
    #[arg(long, env = "WEBHOOK_URL", value_name = "URL", hide_env_values = true)]
    pub webhook_url: Option<Secret>,

    /// File that holds the plain webhook's URL
    #[arg(long, env = "WEBHOOK_URL_FILE", value_name = "FILE")]
    pub webhook_url_file: Option<PathBuf>,

    /// Key that signs what the plain webhook receives, so that it can tell our alerts from others'
    #[arg(long, env = "WEBHOOK_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub webhook_secret: Option<Secret>,

    /// File that holds the plain webhook's signing key
    #[arg(long, env = "WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Allow channels to be in a private network or on this machine, where they may also be plain http
    #[arg(long, env = "WEBHOOK_ALLOW_PRIVATE", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub webhook_allow_private: bool,

    /// Allow channels to be reached over the internet by http, which encrypts neither the alert nor the URL
    #[arg(long, env = "WEBHOOK_ALLOW_HTTP", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub webhook_allow_http: bool,

    /// How long a channel may take to answer
    #[arg(long, env = "NOTIFY_TIMEOUT", value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub notify_timeout: Duration,
}

const WAREHOUSE_HELP: &str =
    "The warehouse that remembers what was delivered, for example `sqlite:///data/warehouse.sqlite`";

/// The arguments of the stand-alone binary.
#[derive(Debug, Clone, clap::Args)]
#[command(mut_arg("warehouse_url", |arg| arg.help(WAREHOUSE_HELP)))]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,
}

/// Why the options are unusable. Never contains a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A secret's file is unreadable or empty.
    #[error("--{option}-file: {problem}")]
    Secret {
        /// The option, without its dashes.
        option: &'static str,
        /// What is wrong with the file.
        problem: SecretError,
    },
    /// A webhook's URL is invalid.
    #[error("--{option}: {problem}")]
    Url {
        /// The option, without its dashes.
        option: &'static str,
        /// What is wrong with the URL.
        problem: InvalidWebhookUrl,
    },
    /// Requests may not go to a webhook's URL.
    #[error("--{option} may not be requested: {refusal}")]
    NotAllowed {
        /// The option, without its dashes.
        option: &'static str,
        /// Why, and which option allows it.
        refusal: Refusal,
    },
    /// The HTTP client of a channel cannot be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(reqwest::Error),
    /// A signing key without a webhook to sign for.
    #[error("--webhook-secret signs what --webhook-url receives, but there is no --webhook-url")]
    SecretWithoutWebhook,
    /// A signing key that HMAC rejects.
    #[error("--webhook-secret is no usable key: {0}")]
    Key(InvalidLength),
}

impl Options {
    /// The configured channels.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, ConfigError> {
        let webhooks = [
            (
                Channel::Slack,
                "slack-webhook-url",
                self.slack_webhook_url.as_ref(),
                self.slack_webhook_url_file.as_ref(),
            ),
            (
                Channel::Teams,
                "teams-webhook-url",
                self.teams_webhook_url.as_ref(),
                self.teams_webhook_url_file.as_ref(),
            ),
            (Channel::Webhook, "webhook-url", self.webhook_url.as_ref(), self.webhook_url_file.as_ref()),
        ];
        let mut signing_key = self.signing_key()?;
        let mut endpoints = Vec::new();
        for (channel, option, direct, file) in webhooks {
            let Some(url) = webhook_url(option, direct, file)? else { continue };
            let client = self.client(option, &url)?;
            let signing_key = if channel == Channel::Webhook { signing_key.take() } else { None };
            endpoints.push(Endpoint { channel, url, client, signing_key });
        }
        // Still here: nothing took it.
        if signing_key.is_some() { Err(ConfigError::SecretWithoutWebhook) } else { Ok(endpoints) }
    }

    /// The client for one channel.
    fn client(&self, option: &'static str, url: &WebhookUrl) -> Result<Client, ConfigError> {
        let policy = Policy {
            settings: Settings { private: "--webhook-allow-private", http: Some("--webhook-allow-http") },
            allow_private: self.webhook_allow_private,
            allow_http: self.webhook_allow_http,
        };
        Destination::new(url.expose(), policy)
            .map_err(|refusal| ConfigError::NotAllowed { option, refusal })?
            .client()
            .timeout(self.notify_timeout)
            .user_agent(concat!("company-activity-notifier/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ConfigError::Client)
    }

    fn signing_key(&self) -> Result<Option<SigningKey>, ConfigError> {
        secret("webhook-secret", self.webhook_secret.as_ref(), self.webhook_secret_file.as_ref())?
            .map(|secret| SigningKey::new(&secret).map_err(ConfigError::Key))
            .transpose()
    }
}

fn webhook_url(
    option: &'static str,
    direct: Option<&Secret>,
    file: Option<&PathBuf>,
) -> Result<Option<WebhookUrl>, ConfigError> {
    secret(option, direct, file)?
        .map(|secret| WebhookUrl::parse(&secret).map_err(|problem| ConfigError::Url { option, problem }))
        .transpose()
}

fn secret(
    option: &'static str,
    direct: Option<&Secret>,
    file: Option<&PathBuf>,
) -> Result<Option<Secret>, ConfigError> {
    read_secret(direct, file.map(PathBuf::as_path)).map_err(|problem| ConfigError::Secret { option, problem })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn options(flags: &[&str]) -> Options {
        CommandLine::try_parse_from([&["notifier"], flags].concat()).unwrap().options
    }

    #[test]
    fn only_what_is_configured_is_a_channel() {
        assert!(options(&[]).endpoints().unwrap().is_empty());
        let endpoints =
            options(&["--webhook-url=https://a.example/x", "--slack-webhook-url=https://b.example/y"])
                .endpoints()
                .unwrap();
        let channels: Vec<Channel> = endpoints.iter().map(|endpoint| endpoint.channel).collect();
        assert_eq!(channels, [Channel::Slack, Channel::Webhook]);
    }

    #[test]
    fn a_url_may_come_from_a_mounted_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "https://hooks.example/services/T0").unwrap();
        let flag = format!("--slack-webhook-url-file={}", file.path().display());
        let endpoints = options(&[&flag]).endpoints().unwrap();
        assert_eq!(endpoints[0].url.expose().as_str(), "https://hooks.example/services/T0");
    }

    #[test]
    fn only_the_plain_webhook_is_signed() {
        let endpoints = options(&[
            "--slack-webhook-url=https://a.example/x",
            "--webhook-url=https://b.example/y",
            "--webhook-secret=k3y",
        ])
        .endpoints()
        .unwrap();
        let signed: Vec<bool> = endpoints.iter().map(|endpoint| endpoint.signing_key.is_some()).collect();
        assert_eq!(signed, [false, true]);
    }

    #[test]
    fn an_unusable_url_is_refused_without_showing_it() {
        for url in
            ["ftp://hooks.example/s3cret", "hooks.example/s3cret", "https:///", "s3cret", "data:s3cret,x"]
        {
            let error = options(&["--teams-webhook-url", url]).endpoints().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(matches!(error, ConfigError::Url { option: "teams-webhook-url", .. }), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("hooks.example"), "{text}");
        }
    }

    #[test]
    fn a_url_that_may_not_be_requested_is_refused_with_what_allows_it_and_without_telling_it() {
        for (url, allowed_by) in [
            ("http://hooks.example/s3cret", "--webhook-allow-http"),
            ("http://127.0.0.1:9/s3cret", "--webhook-allow-private"),
            ("https://10.0.0.7/s3cret", "--webhook-allow-private"),
        ] {
            let error = options(&["--slack-webhook-url", url]).endpoints().unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("--slack-webhook-url may not be requested: "), "{text}");
            assert!(text.contains(allowed_by), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("hooks.example"), "{text}");
            assert!(options(&["--slack-webhook-url", url, allowed_by]).endpoints().is_ok(), "{url}");
        }
        let flags =
            ["--webhook-url=http://169.254.169.254/", "--webhook-allow-private", "--webhook-allow-http"];
        let error = options(&flags).endpoints().unwrap_err().to_string();
        assert!(error.ends_with("a link-local address, and no option allows those"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = options(&["--webhook-url-file=/nowhere/url"]).endpoints().unwrap_err();
        assert!(
            error.to_string().starts_with("--webhook-url-file: cannot read the secret file /nowhere/url")
        );
    }

    #[test]
    fn a_key_that_signs_nothing_is_refused() {
        let error = options(&["--webhook-secret=k3y"]).endpoints().unwrap_err();
        assert!(matches!(error, ConfigError::SecretWithoutWebhook));
        assert!(!error.to_string().contains("k3y"));
    }

    #[test]
    fn options_and_endpoints_never_print_a_secret() {
        let options = options(&[
            "--slack-webhook-url=https://hooks.example/s3cret",
            "--webhook-url=https://user:s3cret@hooks.example/s3cret",
            "--webhook-secret=s3cret",
        ]);
        let text = format!("{options:?} {:?}", options.endpoints().unwrap());
        assert!(!text.contains("s3cret") && !text.contains("hooks.example"), "{text}");
    }
}
