//! Posts to webhooks once: the caller decides whether and when to retry.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{failure::with_causes, retry_after::parse_retry_after};
use egress::refusal_in;
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use runtime::{Clock, Context};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use url::Url;

use crate::{attempt::Attempt, config::Options, endpoint::Endpoint, send_error::SendError, signature};

/// How much of a refusal to read: enough to tell an error code from longer text.
const MAX_ANSWER_BYTES: usize = 256;

/// The longest error code to pass on.
const MAX_REASON_BYTES: usize = 64;

/// Posts to webhooks.
#[derive(Clone)]
pub(crate) struct Sender {
    clock: Arc<dyn Clock>,
    hard_stop: CancellationToken,
    timeout: Duration,
}

impl Sender {
    /// A sender that stops with the process.
    pub(crate) fn new(options: &Options, context: &Context) -> Self {
        Self {
            clock: Arc::clone(&context.clock),
            hard_stop: context.hard_stop.clone(),
            timeout: options.notify_timeout,
        }
    }

    /// Posts `body` and waits for the answer.
    pub(crate) async fn send(&self, endpoint: &Endpoint, body: Bytes) -> Result<(), SendError> {
        tokio::select! {
            outcome = self.attempt(Attempt::begin(endpoint.channel), endpoint, body) => outcome,
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
        let mut request = endpoint.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
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
        match refusal_in(&error) {
            Some(refusal) => SendError::NotAllowed(refusal.clone()),
            None => SendError::Unreachable(with_causes(&error.without_url())),
        }
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        parse_retry_after(response.headers().get(RETRY_AFTER)?.to_str().ok()?, self.clock.now())
    }
}

/// The error code of a refusal. Nothing else is passed on: error pages often
/// quote the requested path, which is the secret.
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
