//! Spans in a form for assertions.

use std::{collections::BTreeMap, fmt};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{span::SpanKind, status::StatusCode},
};

/// A finished span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace, in hexadecimal digits.
    pub trace_id: String,
    /// Its identifier in the trace.
    pub span_id: String,
    /// The parent span; empty for the first one.
    pub parent_id: String,
    /// The service that recorded it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// `internal`, `client`, `server` and so on.
    pub kind: String,
    /// Its start and end, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// The error message, if its status is an error.
    pub error: Option<String>,
    /// The names of its events.
    pub events: Vec<String>,
    /// The exception messages in its events.
    pub causes: Vec<String>,
    /// The spans it is linked to.
    pub links: Vec<String>,
}

/// One trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    spans: Vec<Span>,
}

impl Trace {
    /// The spans of one trace, in order of their start.
    pub(crate) fn among(spans: &[Span], trace_id: &str) -> Self {
        let mut spans: Vec<Span> = spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect();
        spans.sort_by_key(|span| span.times);
        Self { spans }
    }

    /// All spans, in order of their start.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The spans with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name == name).collect()
    }

    /// The spans without a parent in the trace.
    #[must_use]
    pub fn roots(&self) -> Vec<&Span> {
        self.spans.iter().filter(|span| self.by_id(&span.parent_id).is_none()).collect()
    }

    /// The direct children of a span.
    #[must_use]
    pub fn children(&self, parent: &Span) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.parent_id == parent.span_id).collect()
    }

    /// The names from the root span down to this one.
    #[must_use]
    pub fn path<'a>(&'a self, span: &'a Span) -> Vec<&'a str> {
        let mut path = self.by_id(&span.parent_id).map_or_else(Vec::new, |parent| self.path(parent));
        path.push(&span.name);
        path
    }

    fn by_id(&self, span_id: &str) -> Option<&Span> {
        self.spans.iter().find(|span| span.span_id == span_id)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, span: &Span, depth: usize) -> fmt::Result {
        let error = span.error.as_deref().map(|error| format!(" ERROR: {error}")).unwrap_or_default();
        writeln!(f, "{:indent$}{} [{}]{error}", "", span.name, span.service, indent = 2 * depth)?;
        self.children(span).into_iter().try_for_each(|child| self.write(f, child, depth + 1))
    }
}

impl fmt::Display for Trace {
    /// The tree, one span per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.roots().into_iter().try_for_each(|root| self.write(f, root, 0))
    }
}

/// The spans in a request.
pub(crate) fn spans_of(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource in request.resource_spans {
        let described = attributes(resource.resource.map(|resource| resource.attributes).unwrap_or_default());
        let service = described.get("service.name").cloned().unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                trace_id: hex(&span.trace_id),
                span_id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                service: service.clone(),
                name: span.name,
                kind: SpanKind::try_from(span.kind)
                    .map(|kind| kind.as_str_name().trim_start_matches("SPAN_KIND_").to_lowercase())
                    .unwrap_or_default(),
                times: (span.start_time_unix_nano, span.end_time_unix_nano),
                attributes: attributes(span.attributes),
                error: span
                    .status
                    .filter(|status| status.code == i32::from(StatusCode::Error))
                    .map(|status| status.message),
                causes: span
                    .events
                    .iter()
                    .filter_map(|event| cause_in(attributes(event.attributes.clone())))
                    .collect(),
                events: span.events.into_iter().map(|event| event.name).collect(),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
            });
        }
    }
    spans
}

/// The exception message of an event, if it has one.
pub(crate) fn cause_in(attributes: impl IntoIterator<Item = (String, String)>) -> Option<String> {
    attributes.into_iter().find(|(key, _)| key == "exception.message").map(|(_, message)| message)
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map(text).unwrap_or_default())).collect()
}

fn text(value: AnyValue) -> String {
    match value.value {
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
