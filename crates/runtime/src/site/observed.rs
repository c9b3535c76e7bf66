//! One request, from its head to the end of its response: span, duration, limits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header};
use opentelemetry::{
    KeyValue,
    metrics::{Counter, Histogram},
};
use opentelemetry_semantic_conventions::attribute::{
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
};
use telemetry::{
    failable_span,
    metrics::{HTTP_SERVER_DURATION, SERVER_LIMITED},
    spans,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span, field::Empty};

use super::{form, places::Places, response_body::ResponseBody};
use crate::{connections::Connection, rpc::OpenCalls};

/// How long a page may take to begin. What follows may take as long as it needs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What is known of all requests.
#[derive(Clone)]
pub(super) struct Observer(Arc<Shared>);

struct Shared {
    durations: Histogram<f64>,
    limited: Counter<u64>,
    open: OpenCalls,
    /// Requests whose pages are being made; streams that have begun do not count.
    places: Places,
    /// Requests whose bodies are arriving: slow ones hold up nobody's page.
    arriving: Places,
    shutdown: CancellationToken,
}

impl Observer {
    pub(super) fn new(open: OpenCalls, places: usize, shutdown: CancellationToken) -> Self {
        let limited = SERVER_LIMITED.counter();
        limited.add(0, &limit());
        let durations = HTTP_SERVER_DURATION.histogram();
        let (places, arriving) = (Places::new(places), Places::new(places));
        Self(Arc::new(Shared { durations, limited, open, places, arriving, shutdown }))
    }
}

fn limit() -> [KeyValue; 2] {
    [KeyValue::new("port", "site"), KeyValue::new("limit", "calls")]
}

/// Middleware around every route.
pub(super) async fn observe(
    State(Observer(shared)): State<Observer>,
    request: Request,
    next: Next,
) -> Response {
    // Whoever sends others is answered, but does not make a series of each.
    let method = match *request.method() {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "_OTHER",
    };
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "unknown".to_owned());
    // A browser's own trace is not joined: it could ask for any number of recorded ones.
    let span = failable_span!(
        "http",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        enduser.id = Empty,
    );
    let exchange = Exchange {
        span: span.clone(),
        method,
        route,
        began: Instant::now(),
        status: StatusCode::INTERNAL_SERVER_ERROR,
        durations: shared.durations.clone(),
    };
    let held = request.extensions().get().map(Connection::begin_call);
    let open = shared.open.begin();
    let response = answer(&shared, request, next).instrument(span).await;
    let is_stream = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    // A stream of events ends only because somebody ends it.
    let end = is_stream.then(|| shared.shutdown.clone());
    let exchange = Exchange { status: response.status(), ..exchange };
    response.map(|body| Body::new(ResponseBody::new(body, held, end, open, exchange)))
}

async fn answer(shared: &Shared, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().and_then(Connection::peer);
    if form::is_awaited(&request) {
        let Some(_place) = shared.arriving.take(peer).await else { return shared.refuse() };
        request = match form::receive(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
    }
    let Some(_place) = shared.places.take(peer).await else { return shared.refuse() };
    timeout(TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        refusal(StatusCode::GATEWAY_TIMEOUT, "The page took too long: reload it in a moment.\n")
    })
}

impl Shared {
    fn refuse(&self) -> Response {
        self.limited.add(1, &limit());
        let mut response =
            refusal(StatusCode::SERVICE_UNAVAILABLE, "Too many requests at once: reload in a moment.\n");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

/// An answer that no page gives. The site's own headers are not on it.
pub(super) fn refusal(status: StatusCode, message: impl Into<String>) -> Response {
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    (status, headers, message.into()).into_response()
}

/// A request that is being answered. Recorded when it is dropped, with the last byte.
pub(super) struct Exchange {
    pub(super) span: Span,
    method: &'static str,
    route: String,
    began: Instant,
    status: StatusCode,
    durations: Histogram<f64>,
}

impl Exchange {
    fn attributes(&self) -> [KeyValue; 3] {
        [
            KeyValue::new(HTTP_REQUEST_METHOD, self.method),
            KeyValue::new(HTTP_ROUTE, self.route.clone()),
            KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(self.status.as_u16())),
        ]
    }
}

/// Ends with its last byte, or when the browser has gone.
pub(super) struct Ended(Exchange);

impl From<Exchange> for Ended {
    fn from(exchange: Exchange) -> Self {
        Self(exchange)
    }
}

impl Ended {
    pub(super) const fn span(&self) -> &Span {
        &self.0.span
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let exchange = &self.0;
        exchange.span.record(HTTP_RESPONSE_STATUS_CODE, exchange.status.as_u16());
        if exchange.status.is_server_error() {
            spans::record_status(&exchange.span, exchange.status.as_str(), "the page could not be shown");
        }
        exchange.durations.record(exchange.began.elapsed().as_secs_f64(), &exchange.attributes());
    }
}
