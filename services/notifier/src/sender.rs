//! Posts to webhooks, again if that may help.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use domain::failure::with_causes;
use reqwest::{
    Client, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect,
};
use runtime::{Clock, Context, parse_retry_after};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, warn};
use url::Url;

use crate::{attempt::Attempt, config::Options, endpoint::Endpoint, send_error::SendError, signature};

/// What is read of a refusal: enough to tell an error word from anything longer.
const MAX_ANSWER_BYTES: usize = 256;

/// The longest error word that is passed on.
const MAX_REASON_BYTES: usize = 64;

/// Posts to webhooks.
#[derive(Clone)]
pub(crate) struct Sender {
    client: Client,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    hard_stop: CancellationToken,
    timeout: Duration,
    backoff: ExponentialBuilder,
    max_wait: Duration,
}

impl Sender {
    /// A sender with an HTTP client of its own. The client follows no redirect,
    /// since that would hand alerts to whoever answers, and heeds no proxy from
    /// the environment, which nobody configured for this.
    pub(crate) fn new(options: &Options, context: &Context) -> anyhow::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(options.notify_timeout)
            .user_agent(concat!("company-activity-notifier/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot build the HTTP client")?;
        let retries = usize::try_from(options.notify_attempts.get() - 1)?;
        Ok(Self {
            client,
            clock: Arc::clone(&context.clock),
            shutdown: context.shutdown.clone(),
            hard_stop: context.hard_stop.clone(),
            timeout: options.notify_timeout,
            backoff: ExponentialBuilder::default()
                .with_min_delay(options.notify_backoff)
                .with_max_delay(options.notify_max_wait)
                .with_max_times(retries)
                .with_jitter(),
            max_wait: options.notify_max_wait,
        })
    }

    /// Posts `body` until it is accepted, refused, or the attempts are used up.
    pub(crate) async fn send(&self, endpoint: &Endpoint, body: &Bytes) -> Result<(), SendError> {
        let channel = endpoint.channel;
        let mut posted = 0;
        let attempt = || {
            posted += 1;
            self.attempt(Attempt::begin(channel, posted - 1), endpoint, body.clone())
        };
        let attempts = attempt
            .retry(self.backoff)
            .when(|error: &SendError| error.is_retryable() && !self.shutdown.is_cancelled())
            .adjust(|error, backoff| wait(error, backoff, self.max_wait))
            .notify(|error, wait| warn!(%channel, %error, ?wait, "the channel will be tried again"));
        tokio::select! {
            outcome = attempts => outcome,
            () = self.hard_stop.cancelled() => Err(SendError::Stopping),
        }
    }

    async fn attempt(&self, mut attempt: Attempt, endpoint: &Endpoint, body: Bytes) -> Result<(), SendError> {
        let span = attempt.span();
        let outcome = self.post(&mut attempt, endpoint, body).instrument(span).await;
        attempt.end(&outcome);
        outcome
    }

    async fn post(&self, attempt: &mut Attempt, endpoint: &Endpoint, body: Bytes) -> Result<(), SendError> {
        let url = endpoint.url.expose();
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        if let Some(key) = &endpoint.signing_key {
            request = request.header(signature::HEADER, key.sign(&body, self.clock.now()));
        }
        let response = request.body(body).send().await.map_err(|error| self.transport_error(error))?;
        let status = response.status();
        attempt.answered(status);
        if status.is_success() {
            return Ok(());
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Err(SendError::Overloaded { status, retry_after: self.retry_after(&response) });
        }
        Err(SendError::Refused { status, reason: reason(response, url).await })
    }

    fn transport_error(&self, error: reqwest::Error) -> SendError {
        if error.is_timeout() {
            return SendError::TimedOut(self.timeout);
        }
        SendError::Unreachable(with_causes(&error.without_url()))
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        parse_retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?, self.clock.now())
    }
}

/// How long to wait before the next attempt; `None` if there is none.
fn wait(error: &SendError, backoff: Option<Duration>, max_wait: Duration) -> Option<Duration> {
    let backoff = backoff?;
    Some(error.retry_after().unwrap_or(backoff).min(max_wait))
}

/// The error word of a refusal. Anything else is not passed on: an error page
/// likes to quote the path that was asked for, and that is the secret.
async fn reason(mut response: Response, url: &Url) -> Option<String> {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        answer.extend(chunk.into_iter().take(MAX_ANSWER_BYTES - answer.len()));
        if answer.len() == MAX_ANSWER_BYTES {
            break;
        }
    }
    let word = str::from_utf8(&answer).ok()?.trim();
    let is_word = (1..=MAX_REASON_BYTES).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (is_word && !url.as_str().contains(word)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded(retry_after: Option<u64>) -> SendError {
        let retry_after = retry_after.map(Duration::from_secs);
        SendError::Overloaded { status: StatusCode::TOO_MANY_REQUESTS, retry_after }
    }

    #[test]
    fn the_channel_says_how_long_to_wait_up_to_the_cap() {
        let wait = |error: SendError, backoff: Option<u64>| {
            wait(&error, backoff.map(Duration::from_secs), Duration::from_secs(30)).map(|wait| wait.as_secs())
        };
        assert_eq!(wait(overloaded(Some(7)), Some(1)), Some(7));
        assert_eq!(wait(overloaded(Some(3_600)), Some(1)), Some(30));
        assert_eq!(wait(overloaded(None), Some(2)), Some(2));
        assert_eq!(wait(SendError::TimedOut(Duration::from_secs(1)), Some(2)), Some(2));
        assert_eq!(wait(overloaded(Some(7)), None), None);
    }
}
