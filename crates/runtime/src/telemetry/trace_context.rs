//! Spans that outlive a process: their identity is decided and stored first, and
//! whoever is there when they end records them.

use std::{cell::Cell, fmt, time::SystemTime};

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tracing_opentelemetry::OpenTelemetrySpanExt;

thread_local! {
    static CHOSEN: Cell<Option<SpanIdentity>> = const { Cell::new(None) };
}

/// Which span of which trace, as the W3C's `traceparent` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIdentity {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
}

impl SpanIdentity {
    /// The first span of a new trace, which is recorded.
    #[must_use]
    pub fn new_trace() -> Self {
        let random = RandomIdGenerator::default();
        Self { trace_id: random.new_trace_id(), span_id: random.new_span_id(), is_sampled: true }
    }

    /// Reads a `traceparent`, for example
    /// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`; `None` if it is none.
    #[must_use]
    pub fn parse(traceparent: &str) -> Option<Self> {
        let mut parts = traceparent.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (trace_id, span_id) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let is_valid = version == "00"
            && parts.next().is_none()
            && (trace.len(), span.len()) == (32, 16)
            && trace_id != TraceId::INVALID
            && span_id != SpanId::INVALID;
        is_valid.then_some(Self { trace_id, span_id, is_sampled: flags & 1 == 1 })
    }

    /// The identity of a span of this process; `None` if it has none.
    #[must_use]
    pub fn of(span: &tracing::Span) -> Option<Self> {
        let context = span.context();
        let ids = context.span().span_context().clone();
        ids.is_valid().then(|| Self {
            trace_id: ids.trace_id(),
            span_id: ids.span_id(),
            is_sampled: ids.is_sampled(),
        })
    }

    /// The trace's identifier, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }

    /// Makes this the parent of a span that has not been entered yet.
    pub fn adopt(&self, span: &tracing::Span) {
        // Fails only without telemetry, where there is no trace to be in.
        let _ = span.set_parent(self.as_parent());
    }

    /// Links a span to this one.
    pub fn link_from(&self, span: &tracing::Span) {
        span.add_link(self.context());
    }

    fn as_parent(&self) -> Context {
        Context::new().with_remote_span_context(self.context())
    }

    fn context(&self) -> SpanContext {
        let flags = if self.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
        SpanContext::new(self.trace_id, self.span_id, flags, true, TraceState::default())
    }
}

impl fmt::Display for SpanIdentity {
    /// As a `traceparent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

/// A span that has ended and is recorded as a whole.
#[derive(Debug, Clone)]
pub struct PastSpan {
    /// Which span it is.
    pub identity: SpanIdentity,
    /// The span it is part of; `None` for the first one of its trace.
    pub parent: Option<SpanIdentity>,
    /// Its name.
    pub name: String,
    /// When it began.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: SystemTime,
    /// Its attributes.
    pub attributes: Vec<KeyValue>,
    /// What went wrong, if anything did.
    pub error: Option<String>,
    /// The spans it is linked to.
    pub links: Vec<SpanIdentity>,
}

impl PastSpan {
    /// Hands the span over for export.
    pub fn record(self) {
        let tracer = opentelemetry::global::tracer(env!("CARGO_PKG_NAME"));
        let links = self.links.iter().map(|link| Link::with_context(link.context())).collect();
        let builder = tracer
            .span_builder(self.name)
            .with_kind(SpanKind::Internal)
            .with_start_time(self.started_at)
            .with_attributes(self.attributes)
            .with_links(links);
        let parent = self.parent.map_or_else(Context::new, |parent| parent.as_parent());
        CHOSEN.set(Some(self.identity));
        let mut span = tracer.build_with_context(builder, &parent);
        CHOSEN.set(None);
        if let Some(error) = self.error {
            span.set_status(Status::error(error));
        }
        span.end_with_timestamp(self.ended_at);
    }
}

/// Random identities, but for a [`PastSpan`], which brings its own.
#[derive(Debug, Default)]
pub(super) struct ChosenIds {
    random: RandomIdGenerator,
}

impl IdGenerator for ChosenIds {
    fn new_trace_id(&self) -> TraceId {
        CHOSEN.get().map_or_else(|| self.random.new_trace_id(), |chosen| chosen.trace_id)
    }

    fn new_span_id(&self) -> SpanId {
        CHOSEN.get().map_or_else(|| self.random.new_span_id(), |chosen| chosen.span_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_survives_being_stored() {
        let identity = SpanIdentity::new_trace();
        assert_eq!(SpanIdentity::parse(&identity.to_string()), Some(identity));
        assert_ne!(SpanIdentity::new_trace(), identity);
    }

    #[test]
    fn what_is_no_traceparent_is_no_identity() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf9-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(SpanIdentity::parse(text), None, "{text}");
        }
    }
}
