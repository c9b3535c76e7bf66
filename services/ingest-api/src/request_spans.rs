//! One span per request, up to what a trace can show; then one per day that
//! sums up its further requests.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use reqwest::StatusCode;
use telemetry::{failable_span, metrics::HttpRequests, spans};
use tracing::{Span, field::Empty};
use url::Url;

use crate::{
    day_spans::{DaySpans, MAX_DAY_SPANS},
    error::Error,
    page::{Page, PageRef},
};

/// Requests per call that get their own span.
pub(crate) const MAX_REQUEST_SPANS: u32 = 100;

/// The spans of one call's days and requests, shared by the days it works on concurrently.
#[derive(Debug)]
pub(crate) struct CallSpans {
    /// Spans of fetching and landing days.
    pub(crate) land: DaySpans,
    /// Spans of loading days.
    pub(crate) load: DaySpans,
    requests: AtomicU32,
    /// Days that got a span for their further requests.
    summed_days: AtomicU32,
    further_days: OnceLock<Arc<SummedRequests>>,
}

impl Default for CallSpans {
    fn default() -> Self {
        Self {
            land: DaySpans::new("land"),
            load: DaySpans::new("load"),
            requests: AtomicU32::new(0),
            summed_days: AtomicU32::new(0),
            further_days: OnceLock::new(),
        }
    }
}

impl CallSpans {
    fn summed(&self, day: NaiveDate, endpoint: &Url) -> Arc<SummedRequests> {
        if self.summed_days.fetch_add(1, Ordering::Relaxed) < MAX_DAY_SPANS {
            return Arc::new(SummedRequests::begin(Some(day), endpoint));
        }
        Arc::clone(self.further_days.get_or_init(|| Arc::new(SummedRequests::begin(None, endpoint))))
    }
}

/// The requests for one day.
#[derive(Debug)]
pub(crate) struct DayRequests {
    call: Arc<CallSpans>,
    day: NaiveDate,
    summed: OnceLock<Arc<SummedRequests>>,
}

impl DayRequests {
    pub(crate) const fn new(call: Arc<CallSpans>, day: NaiveDate) -> Self {
        Self { call, day, summed: OnceLock::new() }
    }

    /// Begins a request that was sent `resend_count` times before.
    pub(crate) fn begin(&self, endpoint: &Url, at: PageRef, resend_count: u32) -> Exchange {
        let reported = if self.call.requests.fetch_add(1, Ordering::Relaxed) < MAX_REQUEST_SPANS {
            Reported::Alone(span_of(endpoint, at, resend_count))
        } else {
            Reported::Summed(Arc::clone(self.summed.get_or_init(|| self.call.summed(self.day, endpoint))))
        };
        Exchange { at, resend_count, began: Instant::now(), status: None, reported }
    }

    /// Records that a page could not be fetched, after all attempts. Each
    /// request has recorded its own failure.
    pub(crate) fn gave_up(&self, error: &Error) {
        if let Some(summed) = self.summed.get() {
            spans::record_failure_of(&summed.span, error.kind(), error);
        }
    }
}

/// The product API's URL may grant access, so only its host is recorded.
fn span_of(endpoint: &Url, at: PageRef, resend_count: u32) -> Span {
    failable_span!(
        "request",
        otel.name = "GET product usage",
        otel.kind = "client",
        http.request.method = "GET",
        http.request.resend_count = (resend_count > 0).then_some(i64::from(resend_count)),
        http.response.status_code = Empty,
        http.response.body.size = Empty,
        server.address = endpoint.host_str(),
        server.port = endpoint.port_or_known_default().map(i64::from),
        pipeline.day = %at.day,
        pipeline.page = i64::from(at.page),
    )
}

/// One request, until its answer has been read.
#[derive(Debug)]
pub(crate) struct Exchange {
    at: PageRef,
    resend_count: u32,
    began: Instant,
    status: Option<StatusCode>,
    reported: Reported,
}

#[derive(Debug)]
enum Reported {
    Alone(Span),
    Summed(Arc<SummedRequests>),
}

impl Exchange {
    /// The span to send the request in.
    pub(crate) fn span(&self) -> Span {
        match &self.reported {
            Reported::Alone(span) => span.clone(),
            // Concurrent requests cannot share a span for their events.
            Reported::Summed(_) => Span::none(),
        }
    }

    /// Records that an answer came.
    pub(crate) const fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Records the answer, or that none came.
    pub(crate) fn end(self, outcome: &Result<Page, Error>, requests: &HttpRequests) {
        let took = self.began.elapsed();
        requests.record(took, self.status.map(|status| status.as_u16()));
        match &self.reported {
            Reported::Alone(span) => self.report(span, outcome),
            Reported::Summed(summed) => summed.add(self.at, self.resend_count, took, outcome.is_ok()),
        }
    }

    fn report(&self, span: &Span, outcome: &Result<Page, Error>) {
        if let Some(status) = self.status {
            span.record("http.response.status_code", i64::from(status.as_u16()));
        }
        match (outcome, self.status) {
            (Ok(page), _) => {
                span.record("http.response.body.size", spans::count(page.body_bytes));
            }
            (Err(error), Some(status)) if !status.is_success() => {
                spans::record_failure(span, status.as_str(), error);
            }
            (Err(error), _) => spans::record_failure_of(span, error.kind(), error),
        }
    }
}

/// Requests recorded together, until the last of them is dropped.
#[derive(Debug)]
struct SummedRequests {
    span: Span,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    requests: u64,
    retries: u64,
    pages: u64,
    took: Duration,
    slowest: Option<(Duration, PageRef)>,
}

impl SummedRequests {
    /// For one day, or for many.
    fn begin(day: Option<NaiveDate>, endpoint: &Url) -> Self {
        let span = failable_span!(
            "requests",
            otel.name = "GET product usage (further pages)",
            otel.kind = "client",
            http.request.method = "GET",
            server.address = endpoint.host_str(),
            server.port = endpoint.port_or_known_default().map(i64::from),
            pipeline.day = day.map(|day| day.to_string()),
            pipeline.pages = Empty,
            pipeline.requests = Empty,
            pipeline.retries = Empty,
            pipeline.request_seconds = Empty,
            pipeline.slowest_page = Empty,
            pipeline.slowest_page_seconds = Empty,
        );
        Self { span, sums: Mutex::default() }
    }

    fn add(&self, at: PageRef, resend_count: u32, took: Duration, is_page: bool) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.requests += 1;
        sums.retries += u64::from(resend_count > 0);
        sums.pages += u64::from(is_page);
        sums.took += took;
        if sums.slowest.is_none_or(|(slowest, _)| took > slowest) {
            sums.slowest = Some((took, at));
        }
    }
}

impl Drop for SummedRequests {
    fn drop(&mut self) {
        let sums = self.sums.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.span.record("pipeline.pages", spans::count(sums.pages));
        self.span.record("pipeline.requests", spans::count(sums.requests));
        self.span.record("pipeline.retries", spans::count(sums.retries));
        self.span.record("pipeline.request_seconds", sums.took.as_secs_f64());
        if let Some((took, at)) = sums.slowest {
            self.span.record("pipeline.slowest_page", at.to_string());
            self.span.record("pipeline.slowest_page_seconds", took.as_secs_f64());
        }
    }
}
