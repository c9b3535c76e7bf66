//! Keeps the spans of a piece of work in memory.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use opentelemetry::{
    KeyValue,
    trace::{SpanKind, Status, TraceContextExt, TracerProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tokio::sync::watch;
use tracing::{Instrument, Subscriber, info_span, level_filters::LevelFilter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::trace::{Span, Trace, cause_in};

/// How long a span may still be held by code that has just finished.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps the spans of this process, for all its tests: each looks at its own trace.
#[derive(Debug, Clone)]
pub struct Recorder {
    kept: Kept,
}

/// One per process: spans also end on threads that no test has started.
static RECORDER: OnceLock<Recorder> = OnceLock::new();

impl Recorder {
    /// Starts recording, unless another test already has.
    ///
    /// # Errors
    /// If this process already sends its spans elsewhere.
    pub fn start() -> anyhow::Result<Self> {
        let mut installed = Ok(());
        let recorder = RECORDER.get_or_init(|| {
            let kept = Kept::default();
            installed = tracing::subscriber::set_global_default(subscriber(kept.clone()));
            Self { kept }
        });
        installed.context("spans of this process go elsewhere")?;
        Ok(recorder.clone())
    }

    /// All spans that have ended so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.kept.0.borrow().clone()
    }

    /// Runs `work` in a span `test`, and returns the spans of its trace once
    /// all of them have ended. If they do not, the span `test` is missing.
    pub async fn trace<T>(&self, work: impl Future<Output = T>) -> (T, Trace) {
        let span = info_span!("test");
        let context = span.context().span().span_context().clone();
        let outcome = work.instrument(span).await;
        // A span ends after its children, so this one is the last.
        let first = context.span_id().to_string();
        let mut spans = self.kept.0.subscribe();
        let ended = spans.wait_for(|spans| spans.iter().any(|span| span.span_id == first));
        let _ = tokio::time::timeout(PATIENCE, ended).await;
        (outcome, Trace::among(&self.spans(), &context.trace_id().to_string()))
    }
}

fn subscriber(kept: Kept) -> impl Subscriber + Send + Sync {
    let tracers = SdkTracerProvider::builder().with_simple_exporter(kept).build();
    let spans = tracing_opentelemetry::layer()
        .with_tracer(tracers.tracer("test"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(spans)
}

#[derive(Debug, Clone, Default)]
struct Kept(Arc<watch::Sender<Vec<Span>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.send_modify(|kept| kept.extend(batch.into_iter().map(span_of)));
        Ok(())
    }
}

fn span_of(span: SpanData) -> Span {
    let is_root = span.parent_span_id == opentelemetry::SpanId::INVALID;
    Span {
        trace_id: span.span_context.trace_id().to_string(),
        span_id: span.span_context.span_id().to_string(),
        parent_id: if is_root { String::new() } else { span.parent_span_id.to_string() },
        service: String::new(),
        name: span.name.into_owned(),
        kind: kind(&span.span_kind).to_owned(),
        times: (nanoseconds(span.start_time), nanoseconds(span.end_time)),
        attributes: span.attributes.iter().map(text).collect(),
        error: match span.status {
            Status::Error { description } => Some(description.into_owned()),
            Status::Unset | Status::Ok => None,
        },
        causes: span.events.iter().filter_map(|event| cause_in(event.attributes.iter().map(text))).collect(),
        events: span.events.iter().map(|event| event.name.to_string()).collect(),
        links: span.links.iter().map(|link| link.span_context.span_id().to_string()).collect(),
    }
}

fn text(pair: &KeyValue) -> (String, String) {
    (pair.key.to_string(), pair.value.to_string())
}

const fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}
