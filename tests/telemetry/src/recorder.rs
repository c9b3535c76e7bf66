//! Spans of a piece of work, kept in memory.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue,
    trace::{SpanKind, Status, TraceContextExt, TracerProvider},
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::{Instrument, info_span, level_filters::LevelFilter, subscriber::DefaultGuard};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::trace::{Span, Trace, cause_in};

/// Keeps the spans of the thread that it was started on, until it is dropped. So
/// tests beside each other do not meet, but work on other threads is not seen.
#[must_use]
pub struct Recorder {
    kept: Kept,
    _recording: DefaultGuard,
}

impl Recorder {
    /// Starts recording on this thread.
    pub fn start() -> Self {
        let kept = Kept::default();
        let tracers = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracers.tracer("test"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(LevelFilter::INFO);
        let subscriber = tracing_subscriber::registry().with(spans);
        Self { kept, _recording: tracing::subscriber::set_default(subscriber) }
    }

    /// All spans that have ended so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.kept.spans().clone()
    }

    /// Does `work` below a span `test`, and returns the spans of that trace.
    pub async fn trace<T>(&self, work: impl Future<Output = T>) -> (T, Trace) {
        let span = info_span!("test");
        let trace_id = span.context().span().span_context().trace_id().to_string();
        let outcome = work.instrument(span).await;
        (outcome, Trace::among(&self.spans(), &trace_id))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("kept", &self.kept).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<Span>>>);

impl Kept {
    fn spans(&self) -> std::sync::MutexGuard<'_, Vec<Span>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.spans().extend(batch.into_iter().map(span_of));
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
