//! Spans that outlive a process: their identity is chosen and stored first, and the
//! process that sees their end records them.

use std::{cell::Cell, fmt, time::SystemTime};

use opentelemetry::{
    Context, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{FutureExt, Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, TraceState, Tracer},
};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use opentelemetry_semantic_conventions::attribute::EXCEPTION_MESSAGE;
use sha2::{Digest, Sha256};

use crate::spans::SCOPE;

thread_local! {
    static CHOSEN: Cell<Option<SpanIdentity>> = const { Cell::new(None) };
}

/// The identity of a span and its trace, as in a W3C `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanIdentity {
    trace_id: TraceId,
    span_id: SpanId,
    is_sampled: bool,
}

impl SpanIdentity {
    /// The first span of a new, recorded trace.
    #[must_use]
    pub fn new_trace() -> Self {
        let random = RandomIdGenerator::default();
        Self { trace_id: random.new_trace_id(), span_id: random.new_span_id(), is_sampled: true }
    }

    /// The first span of a new trace; its span id follows from `name`.
    #[must_use]
    pub fn new_trace_of(name: &str) -> Self {
        Self { span_id: span_id_of(name), ..Self::new_trace() }
    }

    /// Another span of the same trace, the same for the same name: anyone who knows the
    /// trace and the name can record or link it.
    #[must_use]
    pub fn sibling(&self, name: &str) -> Self {
        Self { span_id: span_id_of(&format!("{}/{name}", self.trace_id)), ..*self }
    }

    /// The span with the other identity's span id in this trace.
    #[must_use]
    pub const fn with_span_of(&self, other: &Self) -> Self {
        Self { span_id: other.span_id, ..*self }
    }

    /// Parses a `traceparent`, for example
    /// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`; `None` if it is
    /// invalid.
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

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }

    /// The span's id, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        self.span_id.to_string()
    }

    /// Runs `work` below this span, which is recorded when it has ended.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.as_parent())
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

/// A span that has ended, recorded as a whole.
#[derive(Debug, Clone)]
pub struct PastSpan {
    /// The span's identity.
    pub identity: SpanIdentity,
    /// The parent span; `None` for the first span of a trace.
    pub parent: Option<SpanIdentity>,
    /// Its name.
    pub name: String,
    /// When it began.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: SystemTime,
    /// Its attributes.
    pub attributes: Vec<KeyValue>,
    /// The error, if it failed.
    pub error: Option<String>,
    /// The spans it is linked to.
    pub links: Vec<SpanIdentity>,
}

impl PastSpan {
    /// Exports the span.
    pub fn record(self) {
        let tracer = opentelemetry::global::tracer(SCOPE);
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
            let cause = vec![KeyValue::new(EXCEPTION_MESSAGE, error.clone())];
            span.add_event_with_timestamp("exception", self.ended_at, cause);
            span.set_status(Status::error(error));
        }
        span.end_with_timestamp(self.ended_at);
    }
}

fn span_id_of(name: &str) -> SpanId {
    let digest = Sha256::digest(name);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    SpanId::from_bytes(bytes)
}

/// Generates random ids, except for a [`PastSpan`], which has its own.
#[derive(Debug, Default)]
pub struct ChosenIds {
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
    fn whoever_knows_the_trace_and_a_name_finds_the_span_again() {
        let run = SpanIdentity::new_trace_of("run 7");
        let stored = SpanIdentity::parse(&run.to_string()).unwrap();
        assert_eq!(stored.sibling("act_copy_crm_csv/1"), run.sibling("act_copy_crm_csv/1"));
        assert_ne!(run.sibling("act_copy_crm_csv/1"), run.sibling("act_copy_crm_csv/2"));
        assert_eq!(run.span_id(), SpanIdentity::new_trace_of("run 7").span_id());
        assert_ne!(run.trace_id(), SpanIdentity::new_trace_of("run 7").trace_id());
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
