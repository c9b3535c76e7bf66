//! Log lines: JSON for machines, text for people.

use std::{
    io::IsTerminal,
    sync::{Arc, OnceLock},
};

use anyhow::Context as _;
use json_subscriber::JsonLayer;
use opentelemetry::trace::TraceContextExt;
use serde::Serialize;
use tracing::{Dispatch, Event, Subscriber, dispatcher::WeakDispatch, span};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt,
    fmt::{MakeWriter, writer::BoxMakeWriter},
    layer::Context,
    registry::{LookupSpan, SpanRef},
    reload,
};

use super::colours::has_colours;
use crate::arguments::{LogFormat, TelemetryArgs};

/// Where log lines go.
pub struct LogWriter {
    writer: BoxMakeWriter,
    is_terminal: bool,
    has_colours: bool,
}

impl LogWriter {
    /// Standard output.
    #[must_use]
    pub fn stdout() -> Self {
        let stdout = std::io::stdout();
        Self {
            is_terminal: stdout.is_terminal(),
            has_colours: has_colours(&stdout),
            writer: BoxMakeWriter::new(std::io::stdout),
        }
    }

    /// A writer for people, for example one that shares a terminal with progress.
    pub fn for_people(
        writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
        has_colours: bool,
    ) -> Self {
        Self { writer: BoxMakeWriter::new(writer), is_terminal: true, has_colours }
    }
}

impl std::fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogWriter").field("is_terminal", &self.is_terminal).finish_non_exhaustive()
    }
}

/// Changes what is logged while the process runs.
#[derive(Debug, Clone)]
pub struct LogFilter(reload::Handle<EnvFilter, Registry>);

impl LogFilter {
    /// The directives in force.
    ///
    /// # Errors
    /// If logging has ended.
    pub fn get(&self) -> anyhow::Result<String> {
        Ok(self.0.with_current(ToString::to_string)?)
    }

    /// Logs by new directives from now on, such as `debug` or `info,sqlx=debug`.
    ///
    /// # Errors
    /// If they cannot be parsed, or logging has ended.
    pub fn set(&self, directives: &str) -> anyhow::Result<()> {
        Ok(self.0.reload(parse(directives)?)?)
    }
}

#[cfg(test)]
impl LogFilter {
    /// A filter that no log uses; it lasts as long as the layer returned with it.
    pub(crate) fn detached(directives: &str) -> (Self, reload::Layer<EnvFilter, Registry>) {
        let (layer, handle) = reload::Layer::new(EnvFilter::new(directives));
        (Self(handle), layer)
    }
}

fn parse(directives: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(directives)
        .with_context(|| format!("{directives:?} is no log filter: use a level, or info,coordinator=debug"))
}

/// The layer that writes log lines, and the handle that changes its filter.
pub(super) fn layer(
    args: &TelemetryArgs,
    writer: LogWriter,
) -> anyhow::Result<(Box<dyn Layer<Registry> + Send + Sync>, LogFilter)> {
    let (filter, handle) = reload::Layer::new(parse(&args.log).context("--log")?);
    let is_json = match args.log_format {
        LogFormat::Json => true,
        LogFormat::Pretty => false,
        LogFormat::Auto => !writer.is_terminal,
    };
    let layer = if is_json {
        json(writer.writer).with_filter(filter).boxed()
    } else {
        fmt::layer().with_ansi(writer.has_colours).with_writer(writer.writer).with_filter(filter).boxed()
    };
    Ok((layer, LogFilter(handle)))
}

/// One flat JSON object per line. Of the spans around an event it includes only what
/// leads somewhere: the trace, the run and the stage.
fn json(writer: BoxMakeWriter) -> impl Layer<Registry> + Send + Sync {
    let trace_ids = TraceIds::default();
    let mut layer = JsonLayer::<Registry, _>::new(writer);
    layer.with_timer("timestamp", fmt::time::SystemTime);
    layer.with_level("level");
    layer.with_target("target");
    layer.with_flattened_event();
    let ids = trace_ids.clone();
    layer.add_multiple_dynamic_fields(move |event, context, line| {
        let Some(scope) = context.event_scope(event) else { return };
        let mut open: Vec<&str> = RUN_FIELDS
            .into_iter()
            .map(|(_, name)| name)
            .filter(|name| event.metadata().fields().field(*name).is_none())
            .collect();
        if let Some((trace_id, span_id)) = context.event_span(event).and_then(|span| ids.of(&span)) {
            open.retain(|name| !["trace_id", "span_id"].contains(name));
            let _ = line.write_field("trace_id", trace_id);
            let _ = line.write_field("span_id", span_id);
        }
        for span in scope {
            let extensions = span.extensions();
            let Some(RunFields(fields)) = extensions.get::<RunFields>() else { continue };
            for (name, value) in fields {
                if let Some(at) = open.iter().position(|wanted| wanted == name) {
                    open.swap_remove(at);
                    let _ = line.write_field(name, value);
                }
            }
        }
    });
    trace_ids.and_then(RunFieldsOfSpans).and_then(EventsAlone(layer))
}

/// A layer that is told of events, and of no spans: of each span it would write all fields as
/// JSON, anew whenever one is recorded, and lines include none of that.
struct EventsAlone<L>(L);

impl<S: Subscriber, L: Layer<S>> Layer<S> for EventsAlone<L> {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        self.0.on_register_dispatch(subscriber);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        self.0.on_event(event, context);
    }
}

/// Fields that locate a line in a run, whichever span has them: the name on spans, and
/// in lines.
const RUN_FIELDS: [(&str, &str); 5] = [
    ("pipeline.run_id", "run_id"),
    ("pipeline.stage", "stage"),
    ("pipeline.attempt", "attempt"),
    // From spans that are recorded later, under an identity already known.
    ("trace_id", "trace_id"),
    ("span_id", "span_id"),
];

/// The fields of a span that every line inside it includes.
struct RunFields(Vec<(&'static str, RunField)>);

#[derive(Serialize)]
#[serde(untagged)]
enum RunField {
    Text(String),
    Number(u64),
}

/// Keeps the [`RunFields`] of every span.
struct RunFieldsOfSpans;

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for RunFieldsOfSpans {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = RunFields(Vec::new());
        attributes.record(&mut fields);
        if !fields.0.is_empty()
            && let Some(span) = context.span(id)
        {
            span.extensions_mut().insert(fields);
        }
    }
}

impl RunFields {
    /// Keeps the value of a field that lines include.
    fn keep(&mut self, field: &tracing::field::Field, value: impl FnOnce() -> RunField) {
        if let Some((_, name)) = RUN_FIELDS.into_iter().find(|(on_span, _)| *on_span == field.name()) {
            self.0.push((name, value()));
        }
    }
}

impl tracing::field::Visit for RunFields {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.keep(field, || RunField::Text(value.to_owned()));
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.keep(field, || RunField::Number(value));
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.keep(field, || RunField::Text(format!("{value:?}")));
    }
}

/// Looks up the trace of a span. The subscriber is not reachable from within an event,
/// so it is kept from when it was built.
#[derive(Clone, Default)]
struct TraceIds(Arc<OnceLock<WeakDispatch>>);

impl TraceIds {
    fn of<S: for<'lookup> LookupSpan<'lookup>>(&self, span: &SpanRef<'_, S>) -> Option<(String, String)> {
        let dispatch = self.0.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)?;
        let ids = context.span().span_context().clone();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    }
}

impl<S: Subscriber> Layer<S> for TraceIds {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.0.set(subscriber.downgrade());
    }
}
