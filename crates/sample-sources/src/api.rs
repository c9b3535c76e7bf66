//! The product-usage API: `GET /v1/product-usage`.
//!
//! | parameter | meaning |
//! |---|---|
//! | `start_date`, `end_date` | the first and the last day, `YYYY-MM-DD`, both required |
//! | `page` | page number, from 1; default 1 |
//! | `page_size` | records per page; default [`DEFAULT_PAGE_SIZE`] |
//!
//! The response is `{"data": [...]}` with the records ordered by day and `company_id`; a
//! page after the last is empty. Errors are `{"error": {"code": ..., "message": ...}}`.

use std::{convert::Infallible, fmt, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use domain::DateWindow;
use futures::{
    StreamExt as _,
    future::{self, BoxFuture},
    stream,
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    faults::{Fault, Faults},
    request_log::RequestLog,
    usage_book::UsageBook,
};

/// The path of the API.
pub const PRODUCT_USAGE_PATH: &str = "/v1/product-usage";

/// Records per page, unless the request says otherwise.
pub const DEFAULT_PAGE_SIZE: usize = 100;

/// How long responses in flight may take after shutdown.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How the API behaves.
#[derive(Clone, Default)]
pub struct ApiOptions {
    /// The bearer token that requests must carry. `None` accepts every request.
    pub token: Option<String>,
    /// Larger page sizes are silently capped, as in real APIs. `None` allows any.
    pub max_page_size: Option<usize>,
    /// Scripted faults, in order. Keep a clone to add more.
    pub faults: Faults,
    /// Records the requests. Keep a clone to read it.
    pub requests: RequestLog,
}

impl fmt::Debug for ApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiOptions")
            .field("max_page_size", &self.max_page_size)
            .field("faults", &self.faults)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

/// Serves `book` until `shutdown`, then finishes the responses in flight.
///
/// # Errors
/// If the listener fails.
pub fn serve_api(
    listener: TcpListener,
    book: UsageBook,
    options: ApiOptions,
    shutdown: CancellationToken,
) -> BoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        let server = axum::serve(listener, router(book, options))
            .with_graceful_shutdown(shutdown.clone().cancelled_owned());
        let drained = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN_TIME).await;
        };
        tokio::select! {
            served = server => served.context("the sample product API cannot accept connections"),
            () = drained => {
                tracing::warn!(after = ?DRAIN_TIME, "answers are still in flight: dropping them");
                Ok(())
            }
        }
    })
}

/// The API as routes, to serve along with others.
pub fn router(book: UsageBook, options: ApiOptions) -> Router {
    Router::new()
        .route(PRODUCT_USAGE_PATH, get(product_usage))
        .fallback(async || ApiError::not_found())
        .with_state(Api { book, options })
}

#[derive(Clone)]
struct Api {
    book: UsageBook,
    options: ApiOptions,
}

async fn product_usage(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<RawParameters>, QueryRejection>,
) -> Result<Response, ApiError> {
    authorize(&headers, api.options.token.as_deref())?;
    let Query(raw) = query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let asked = Parameters::parse(&raw)?;
    api.options.requests.record(asked.window);
    let fault = api.options.faults.take(asked.window);
    let page = Page::cut(&api.book, &asked, api.options.max_page_size);
    api.options.faults.released(asked.window).await;
    match fault {
        None => Ok(page.into_response()),
        Some(Fault::Status { status, retry_after }) => Ok(scripted_error(status, retry_after.as_deref())),
        Some(Fault::GarbageBody) => Ok("<html><body>It works!</body></html>".into_response()),
        Some(Fault::CutBody) => Ok(page.into_cut_response()),
        Some(Fault::SlowFirstByte(wait)) => {
            tokio::time::sleep(wait).await;
            Ok(page.into_response())
        }
    }
}

fn authorize(headers: &HeaderMap, token: Option<&str>) -> Result<(), ApiError> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match given.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(given) if given == token => Ok(()),
        Some(_) => Err(ApiError::unauthenticated("the bearer token is not valid")),
        None => Err(ApiError::unauthenticated("send a header \"Authorization: Bearer <token>\"")),
    }
}

/// The query string, before its values are parsed.
#[derive(Deserialize)]
struct RawParameters {
    start_date: Option<String>,
    end_date: Option<String>,
    page: Option<String>,
    page_size: Option<String>,
}

struct Parameters {
    window: DateWindow,
    /// From 1.
    page: usize,
    /// At least 1.
    page_size: usize,
}

impl Parameters {
    fn parse(raw: &RawParameters) -> Result<Self, ApiError> {
        let start_date = required("start_date", raw.start_date.as_deref())?;
        let end_date = required("end_date", raw.end_date.as_deref())?;
        let window = DateWindow::parse(start_date, end_date)
            .map_err(|invalid| ApiError::bad_request(invalid.to_string()))?;
        Ok(Self {
            window,
            page: positive("page", raw.page.as_deref())?.unwrap_or(1),
            page_size: positive("page_size", raw.page_size.as_deref())?.unwrap_or(DEFAULT_PAGE_SIZE),
        })
    }
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, ApiError> {
    value.ok_or_else(|| ApiError::bad_request(format!("{name} is required")))
}

fn positive(name: &str, value: Option<&str>) -> Result<Option<usize>, ApiError> {
    let Some(text) = value else { return Ok(None) };
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(ApiError::bad_request(format!("{name} {text:?} is not a whole number from 1 on"))),
    }
}

/// One page of records as pieces of its JSON text; the records themselves are not copied.
struct Page {
    pieces: Vec<Bytes>,
}

impl Page {
    fn cut(book: &UsageBook, asked: &Parameters, max_page_size: Option<usize>) -> Self {
        let size = asked.page_size.min(max_page_size.unwrap_or(usize::MAX).max(1));
        let skip = (asked.page - 1).saturating_mul(size);
        let mut pieces = vec![Bytes::from_static(br#"{"data":["#)];
        for (at, records) in book.slices(asked.window, skip, size).into_iter().enumerate() {
            if at > 0 {
                pieces.push(Bytes::from_static(b","));
            }
            pieces.push(records);
        }
        pieces.push(Bytes::from_static(b"]}"));
        Self { pieces }
    }

    fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.len()));
        headers
    }

    /// A response whose connection breaks after half the body.
    fn into_cut_response(self) -> Response {
        let headers = self.headers();
        let whole: Vec<u8> = self.pieces.concat();
        let half = Bytes::copy_from_slice(whole.get(..whole.len() / 2).unwrap_or_default());
        let cut = async {
            // An error right after the bytes would discard them unsent: the server
            // flushes only when the body yields.
            tokio::task::yield_now().await;
            Err(std::io::Error::other("the body is cut on purpose"))
        };
        let body = stream::once(future::ready(Ok(half))).chain(stream::once(cut));
        (headers, Body::from_stream(body)).into_response()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = self.headers();
        let pieces = self.pieces.into_iter().map(Ok::<_, Infallible>);
        (headers, Body::from_stream(stream::iter(pieces))).into_response()
    }
}

/// An error in the API's own form.
struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl ApiError {
    fn bad_request(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "invalid_argument", message }
    }

    fn unauthenticated(message: &str) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, code: "unauthenticated", message: message.to_owned() }
    }

    fn not_found() -> Self {
        let message = format!("there is only {PRODUCT_USAGE_PATH}");
        Self { status: StatusCode::NOT_FOUND, code: "not_found", message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code, "message": self.message}});
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The error that a test asked for. An invalid HTTP status becomes 500.
fn scripted_error(status: u16, retry_after: Option<&str>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let message = "this request fails on purpose".to_owned();
    let mut response = ApiError { status, code: "scripted", message }.into_response();
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}
