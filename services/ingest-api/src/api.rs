//! One request to the product API, and what its answer means.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use chrono::NaiveDate;
use metrics::HttpRequests;
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue, RETRY_AFTER},
};
use runtime::{Clock, Secret, parse_retry_after, read_secret};
use tracing::Instrument;
use url::Url;

use crate::{
    Error, Options,
    error::Causes,
    page::{Page, PageRef},
    request_spans::{CallSpans, DayRequests, Exchange},
    retry::RetryPolicy,
};

/// How long setting up a connection may take, within the request's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest part of a broken answer that is quoted, in bytes.
const EXCERPT_BYTES: usize = 80;

/// The client that all requests share.
///
/// # Errors
/// If TLS cannot be set up.
pub fn http_client(timeout: Duration) -> anyhow::Result<Client> {
    Client::builder()
        .user_agent(concat!("company-activity/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        // A redirect could carry the token to another host, and a proxy from
        // the environment could read along.
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot set up the HTTP client")
}

/// The product API as it is configured.
#[derive(Clone)]
pub(crate) struct ProductApi {
    client: Client,
    endpoint: Url,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
    page_size: u32,
    timeout: Duration,
    max_page_bytes: usize,
    max_pages: u32,
    retry: RetryPolicy,
    requests: HttpRequests,
    clock: Arc<dyn Clock>,
}

impl ProductApi {
    /// Takes the options that concern the product API.
    ///
    /// # Errors
    /// If its URL is missing or no HTTP URL, or the timeout is zero.
    pub(crate) fn new(options: &Options, client: Client, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let url = options.product_api_url.as_deref().context("--product-api-url is missing")?;
        // The URL is not repeated: it may hold a secret.
        ensure!(
            !options.product_api_timeout.is_zero(),
            "--product-api-timeout is zero, which no answer could meet; write for example 30s"
        );
        let endpoint = Url::parse(url).context("--product-api-url is no URL")?;
        ensure!(
            matches!(endpoint.scheme(), "http" | "https"),
            "--product-api-url must begin with https:// or http://, not {}:",
            endpoint.scheme()
        );
        Ok(Self {
            client,
            endpoint,
            token: options.product_api_token.clone(),
            token_file: options.product_api_token_file.clone(),
            page_size: options.page_size,
            timeout: options.product_api_timeout,
            max_page_bytes: options.product_api_max_page_bytes,
            max_pages: options.product_api_max_pages,
            retry: RetryPolicy::new(options),
            requests: HttpRequests::new("GET", "product-api"),
            clock,
        })
    }

    /// Reads the token, so that a rotated one counts from the next session on.
    ///
    /// # Errors
    /// If the token cannot be read or sent.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let token = read_secret(self.token.as_ref(), self.token_file.as_deref())?;
        let authorization = token.as_ref().map(bearer).transpose()?;
        Ok(Session { api: self.clone(), token, authorization, spans: Arc::default() })
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, Error> {
    let mut header =
        HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| Error::UnusableToken)?;
    header.set_sensitive(true);
    Ok(header)
}

/// The product API under one token, for one call of this service.
#[derive(Clone)]
pub(crate) struct Session {
    api: ProductApi,
    token: Option<Secret>,
    authorization: Option<HeaderValue>,
    spans: Arc<CallSpans>,
}

impl Session {
    /// How many records are asked for per page.
    pub(crate) fn page_size(&self) -> usize {
        usize::try_from(self.api.page_size).unwrap_or(usize::MAX)
    }

    /// The most pages of one day.
    pub(crate) const fn max_pages(&self) -> u32 {
        self.api.max_pages
    }

    /// What the call tells of its days and requests.
    pub(crate) fn spans(&self) -> Arc<CallSpans> {
        Arc::clone(&self.spans)
    }

    /// What it tells of the requests for a day.
    pub(crate) fn requests_for(&self, day: NaiveDate) -> DayRequests {
        DayRequests::new(self.spans(), day)
    }

    /// Fetches one page, again and again if a failure is transient.
    ///
    /// # Errors
    /// [`Error::GaveUp`], or the first failure that is not transient.
    pub(crate) async fn page(&self, at: PageRef, requests: &DayRequests) -> Result<Page, Error> {
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            self.try_page(requests.begin(&self.api.endpoint, at, attempts - 1), at)
        };
        let outcome = self.api.retry.run(attempt).await;
        if let Err(error) = &outcome {
            requests.gave_up(error);
        }
        outcome
    }

    async fn try_page(&self, mut exchange: Exchange, at: PageRef) -> Result<Page, Error> {
        let span = exchange.span();
        let outcome = self.exchange(&mut exchange, at).instrument(span).await;
        exchange.end(&outcome, &self.api.requests);
        outcome
    }

    async fn exchange(&self, exchange: &mut Exchange, at: PageRef) -> Result<Page, Error> {
        let response = self.request(at).send().await.map_err(|error| self.transport_failure(at, error))?;
        exchange.answered(response.status());
        self.check_status(at, &response)?;
        let body = self.read_body(at, response).await?;
        Page::parse(&body).map_err(|error| self.unreadable(at, &body, &error))
    }

    fn request(&self, at: PageRef) -> RequestBuilder {
        let day = at.day.to_string();
        let request =
            self.api.client.get(self.api.endpoint.clone()).header(ACCEPT, "application/json").query(&[
                ("start_date", day.as_str()),
                ("end_date", day.as_str()),
                ("page", &at.page.to_string()),
                ("page_size", &self.api.page_size.to_string()),
            ]);
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization.clone()),
            None => request,
        }
    }

    fn check_status(&self, at: PageRef, response: &Response) -> Result<(), Error> {
        let status = response.status();
        let retry_after = || {
            let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
            parse_retry_after(header, self.api.clock.now())
        };
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Error::Unauthenticated { at, status }),
            StatusCode::TOO_MANY_REQUESTS => Err(Error::Throttled { at, status, retry_after: retry_after() }),
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Err(Error::ServerFailed { at, status, retry_after: retry_after() })
            }
            status => Err(Error::RequestRefused { at, status }),
        }
    }

    async fn read_body(&self, at: PageRef, mut response: Response) -> Result<Vec<u8>, Error> {
        let limit = self.api.max_page_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.transport_failure(at, error))? {
            if body.len() + chunk.len() > limit {
                return Err(Error::PageTooLarge { at, limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn transport_failure(&self, at: PageRef, error: reqwest::Error) -> Error {
        let error = error.without_url();
        if error.is_timeout() {
            return Error::TimedOut { at, limit: self.api.timeout };
        }
        Error::Connection { at, cause: Causes(&error).to_string() }
    }

    fn unreadable(&self, at: PageRef, body: &[u8], error: &serde_json::Error) -> Error {
        if error.is_eof() {
            return Error::BrokenOff { at, received: body.len() };
        }
        let (line, column) = (error.line(), error.column());
        let (problem, excerpt) = if self.repeats_token(body) {
            ("unreadable".to_owned(), "(not shown: the answer repeats the token)".to_owned())
        } else {
            (problem_without_position(error), excerpt(body, line, column))
        };
        Error::Malformed { at, problem, line, column, excerpt }
    }

    fn repeats_token(&self, body: &[u8]) -> bool {
        self.token.as_ref().is_some_and(|token| {
            let token = token.expose().as_bytes();
            body.windows(token.len()).any(|window| window == token)
        })
    }
}

/// What `serde_json` complains about; it may quote a value of any length.
fn problem_without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    problem.get(..problem.floor_char_boundary(EXCERPT_BYTES)).unwrap_or_default().escape_debug().to_string()
}

/// What stands around a position, line and column counting from 1.
fn excerpt(body: &[u8], line: usize, column: usize) -> String {
    let line_start: usize =
        body.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let start = (line_start + column).saturating_sub(EXCERPT_BYTES / 2).min(body.len());
    let end = (start + EXCERPT_BYTES).min(body.len());
    let part = String::from_utf8_lossy(body.get(start..end).unwrap_or_default());
    format!("\"{}\"", part.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_stays_short_and_printable_wherever_the_position_is() {
        let body = format!("{{\n\"data\": [{}oops\u{1}]}}", "1,".repeat(1000));
        for (line, column) in [(1, 0), (2, 2015), (2, 100_000), (9, 9)] {
            let shown = excerpt(body.as_bytes(), line, column);
            assert!(shown.len() <= EXCERPT_BYTES + 20, "{shown}");
        }
        assert!(excerpt(body.as_bytes(), 2, 2012).contains("oops\\u{1}"));
    }
}
