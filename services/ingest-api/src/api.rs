//! Makes one request to the product API and interprets its answer.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use chrono::NaiveDate;
use domain::{failure::with_causes, retry_after::parse_retry_after};
use egress::{Destination, Policy, Settings, refusal_in};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, RETRY_AFTER},
};
use runtime::Clock;
use telemetry::metrics::HttpRequests;
use tracing::Instrument;
use url::Url;

use crate::{
    answer_options::Reading,
    config::Options,
    credentials::{Bearer, Credentials, TokenSource},
    error::Error,
    pace::Pace,
    page::{NoPage, Page, PageRef},
    paging_limits::PagingLimits,
    request_spans::{CallSpans, DayRequests, Exchange},
    retry::RetryPolicy,
};

/// How long connecting may take, within the request's own limit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest excerpt of a broken answer in an error, in bytes.
const EXCERPT_BYTES: usize = 80;

/// The client for all requests.
fn http_client(destination: Destination, timeout: Duration) -> anyhow::Result<Client> {
    destination
        .client()
        .user_agent(concat!("company-activity/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .build()
        .context("cannot set up the HTTP client")
}

/// The configured product API.
#[derive(Clone)]
pub(crate) struct ProductApi {
    client: Client,
    endpoint: Url,
    token: TokenSource,
    reading: Arc<Reading>,
    page_size: u32,
    timeout: Duration,
    max_page_bytes: usize,
    max_pages: u32,
    is_unpaged: bool,
    pages_ahead: usize,
    pace: Arc<Pace>,
    retry: RetryPolicy,
    requests: HttpRequests,
    clock: Arc<dyn Clock>,
}

impl ProductApi {
    /// Takes the options that concern the product API.
    ///
    /// # Errors
    /// If its URL is missing, not an HTTP URL or not allowed, the timeout is zero, or TLS
    /// cannot be set up.
    pub(crate) fn new(options: &Options, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let url = options.product_api_url.as_deref().context("--product-api-url is missing")?;
        // The error does not repeat the URL: it may hold a secret.
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
        let policy = Policy {
            settings: Settings {
                private: "--product-api-allow-private",
                http: Some("--product-api-allow-http"),
            },
            allow_private: options.product_api_allow_private,
            allow_http: options.product_api_allow_http,
        };
        let destination =
            Destination::new(&endpoint, policy).context("--product-api-url may not be requested")?;
        let pages_ahead = usize::from(options.product_api_page_concurrency);
        Ok(Self {
            client: http_client(destination, options.product_api_timeout)?,
            endpoint,
            token: TokenSource {
                token: options.product_api_token.clone(),
                file: options.product_api_token_file.clone(),
            },
            reading: Arc::new(options.answers.reading()),
            page_size: options.page_size,
            timeout: options.product_api_timeout,
            max_page_bytes: options.product_api_max_page_bytes,
            max_pages: options.product_api_max_pages,
            is_unpaged: options.answers.product_api_unpaged,
            pages_ahead,
            pace: Pace::new(pages_ahead, options.product_api_max_rate),
            retry: RetryPolicy::new(options),
            requests: HttpRequests::new("GET", "product-api"),
            clock,
        })
    }

    /// How records are read.
    pub(crate) fn reading(&self) -> Arc<Reading> {
        Arc::clone(&self.reading)
    }

    /// Reads the token, so that a rotated one takes effect with the next session.
    ///
    /// # Errors
    /// If the token cannot be read or sent.
    pub(crate) fn session(&self) -> Result<Session, Error> {
        let credentials = Credentials::read(self.token.clone())?;
        Ok(Session { api: self.clone(), credentials, spans: Arc::default() })
    }
}

/// The product API with one token, for one call of this service.
#[derive(Clone)]
pub(crate) struct Session {
    api: ProductApi,
    credentials: Credentials,
    spans: Arc<CallSpans>,
}

impl Session {
    /// The limits on a day's pages.
    pub(crate) fn limits(&self) -> PagingLimits {
        PagingLimits {
            page_size: usize::try_from(self.api.page_size).unwrap_or(usize::MAX),
            max_pages: self.api.max_pages,
            is_unpaged: self.api.is_unpaged,
            pages_ahead: self.api.pages_ahead,
        }
    }

    /// How records are read.
    pub(crate) fn reading(&self) -> Arc<Reading> {
        self.api.reading()
    }

    /// The call's spans for days and requests.
    pub(crate) fn spans(&self) -> Arc<CallSpans> {
        Arc::clone(&self.spans)
    }

    /// The spans of the requests for a day.
    pub(crate) fn requests_for(&self, day: NaiveDate) -> Arc<DayRequests> {
        Arc::new(DayRequests::new(self.spans(), day))
    }

    /// Fetches one page when it is its turn, retrying transient failures.
    ///
    /// # Errors
    /// [`Error::GaveUp`], or the first failure that is not transient.
    pub(crate) async fn page(&self, at: PageRef, requests: &DayRequests) -> Result<Page, Error> {
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            let resend_count = attempts - 1;
            async move {
                let place = self.api.pace.place().await;
                let outcome = self.try_page(requests.begin(&self.api.endpoint, at, resend_count), at).await;
                match &outcome {
                    Ok(_) => place.answered(),
                    Err(error) if error.says_too_many() => place.refused(self.api.retry.pause(error)),
                    Err(_) => {}
                }
                outcome
            }
        };
        self.api.retry.run(attempt).await
    }

    async fn try_page(&self, mut exchange: Exchange, at: PageRef) -> Result<Page, Error> {
        let span = exchange.span();
        let outcome = self.exchange(&mut exchange, at).instrument(span).await;
        exchange.end(&outcome, &self.api.requests);
        outcome
    }

    async fn exchange(&self, exchange: &mut Exchange, at: PageRef) -> Result<Page, Error> {
        let mut bearer = self.credentials.current();
        loop {
            let response = self.ask(at, bearer.as_deref()).await?;
            exchange.answered(response.status());
            if response.status() == StatusCode::UNAUTHORIZED
                && let Some(refused) = &bearer
                && let Some(renewed) = self.credentials.renew(refused)?
            {
                bearer = Some(renewed);
                continue;
            }
            return self.page_of(at, response, bearer.as_deref()).await;
        }
    }

    async fn ask(&self, at: PageRef, bearer: Option<&Bearer>) -> Result<Response, Error> {
        let day = at.day.to_string();
        let mut request =
            self.api.client.get(self.api.endpoint.clone()).header(ACCEPT, "application/json").query(&[
                ("start_date", day.as_str()),
                ("end_date", day.as_str()),
                ("page", &at.page.to_string()),
                ("page_size", &self.api.page_size.to_string()),
            ]);
        if let Some(bearer) = bearer {
            request = request.header(AUTHORIZATION, bearer.header());
        }
        request.send().await.map_err(|error| self.transport_failure(at, error))
    }

    async fn page_of(&self, at: PageRef, response: Response, bearer: Option<&Bearer>) -> Result<Page, Error> {
        if is_past_the_end(at, response.status()) {
            return Ok(Page::empty());
        }
        self.check_status(at, &response)?;
        check_encoding(at, &response)?;
        let headers = response.headers().clone();
        let body = self.read_body(at, response).await?;
        let names = &self.api.reading.names;
        let mut page = Page::parse(text_of(&body), names).map_err(|why| no_page(at, &body, why, bearer))?;
        page.signs = page.signs.with_link(&headers, names);
        Ok(page)
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
        if let Some(refusal) = refusal_in(&error) {
            return Error::NotAllowed { at, refusal: refusal.clone() };
        }
        if error.is_timeout() {
            return Error::TimedOut { at, limit: self.api.timeout };
        }
        Error::Connection { at, cause: with_causes(&error) }
    }
}

/// Whether an answer says that the list ended before this page: it has no body,
/// or the page is unknown.
fn is_past_the_end(at: PageRef, status: StatusCode) -> bool {
    match status {
        StatusCode::NO_CONTENT => true,
        StatusCode::NOT_FOUND | StatusCode::RANGE_NOT_SATISFIABLE => at.page > 1,
        _ => false,
    }
}

/// If this header is still there, it names an encoding that the client does not decode.
fn check_encoding(at: PageRef, response: &Response) -> Result<(), Error> {
    let Some(encoding) = response.headers().get(CONTENT_ENCODING) else { return Ok(()) };
    match encoding.to_str().unwrap_or("an unreadable name").trim() {
        "" | "identity" => Ok(()),
        encoding => Err(Error::UnknownEncoding { at, encoding: encoding.escape_debug().to_string() }),
    }
}

/// The JSON of a body, without the byte order mark that some servers put in front.
fn text_of(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn no_page(at: PageRef, body: &[u8], why: NoPage, bearer: Option<&Bearer>) -> Error {
    const HIDDEN: &str = "(not shown: the answer repeats the token)";
    let repeats_token = bearer.is_some_and(|bearer| bearer.is_in(body));
    if let Some(encoding) = encoding_by_magic(body) {
        return Error::UnknownEncoding { at, encoding: encoding.to_owned() };
    }
    match why {
        NoPage::Json(error) if error.is_eof() => Error::BrokenOff { at, received: body.len() },
        NoPage::Json(error) => {
            let (line, column) = (error.line(), error.column());
            let (problem, excerpt) = if repeats_token {
                ("unreadable".to_owned(), HIDDEN.to_owned())
            } else {
                (problem_without_position(&error), excerpt(text_of(body), line, column))
            };
            Error::Malformed { at, problem, line, column, excerpt }
        }
        NoPage::Form(problem) => {
            let (problem, excerpt) = if repeats_token {
                ("another form".to_owned(), HIDDEN.to_owned())
            } else {
                (problem.escape_debug().to_string(), excerpt(text_of(body), 1, 0))
            };
            Error::Malformed { at, problem, line: 1, column: 1, excerpt }
        }
        NoPage::Failed(_) if repeats_token => Error::SaysItFailed { at, reported: HIDDEN.to_owned() },
        NoPage::Failed(reported) => {
            let shown = reported.get(..reported.floor_char_boundary(EXCERPT_BYTES)).unwrap_or_default();
            // It is JSON, so its quotes may stay.
            Error::SaysItFailed { at, reported: shown.escape_debug().to_string().replace("\\\"", "\"") }
        }
    }
}

/// Recognizes encodings by their first bytes, in case the server does not name them.
fn encoding_by_magic(body: &[u8]) -> Option<&'static str> {
    match body {
        [0x1f, 0x8b, ..] => Some("gzip without the header Content-Encoding"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd without the header Content-Encoding"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 (it begins with its byte order mark)"),
        _ => None,
    }
}

/// The complaint of `serde_json` without its position; it may quote a value of any length.
fn problem_without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    problem.get(..problem.floor_char_boundary(EXCERPT_BYTES)).unwrap_or_default().escape_debug().to_string()
}

/// The text around a position, with line and column counted from 1.
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
