//! A span for every SQL statement inside a trace, made from the event that sqlx emits
//! when a statement has ended.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanKind, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;
use opentelemetry_semantic_conventions::attribute::{
    DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_RESPONSE_RETURNED_ROWS, DB_SYSTEM_NAME,
};
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    dispatcher::WeakDispatch,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
    subscriber::Interest,
};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    layer::{Context, Filter},
    registry::LookupSpan,
};

/// The target of sqlx's events about statements.
const TARGET: &str = "sqlx::query";

/// The most statements recorded per call that a process answers; a backfill's many days
/// must not produce a trace too large to open.
const MAX_STATEMENTS: u32 = 1_000;

/// A span for every statement in a trace that is recorded, below the spans that are `exported`.
pub(super) fn layer<S>(tracer: SdkTracer, exported: Targets) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    let subscriber = TheSubscriber::default();
    // A layer sees only the spans that its own filter admits: without those around a
    // statement it could not place the statement.
    let targets = exported.with_target(TARGET, LevelFilter::DEBUG);
    SqlSpans { tracer, subscriber: subscriber.clone() }.with_filter(OfRecordedTraces { targets, subscriber })
}

/// The subscriber is not reachable from within an event, so it is kept from when it was built.
#[derive(Clone, Default)]
struct TheSubscriber(Arc<OnceLock<WeakDispatch>>);

impl TheSubscriber {
    /// The context of a span, if its trace is recorded.
    fn recorded(&self, span: &span::Id) -> Option<opentelemetry::Context> {
        let subscriber = self.0.get().and_then(WeakDispatch::upgrade)?;
        let context = tracing_opentelemetry::get_otel_context(span, &subscriber)?;
        context.span().span_context().is_sampled().then_some(context)
    }
}

/// Admits a statement only in a trace that is recorded: sqlx describes those that somebody
/// wants to know about, which costs as much as to decode a row.
struct OfRecordedTraces {
    targets: Targets,
    subscriber: TheSubscriber,
}

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Filter<S> for OfRecordedTraces {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::enabled(&self.targets, metadata, context)
            && (metadata.target() != TARGET
                || context
                    .lookup_current()
                    .is_some_and(|span| self.subscriber.recorded(&span.id()).is_some()))
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let interest = Filter::<S>::callsite_enabled(&self.targets, metadata);
        if metadata.target() == TARGET && interest.is_always() { Interest::sometimes() } else { interest }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.targets)
    }
}

/// Turns sqlx's events into spans below the span they occur in. Ignores statements
/// outside any trace, such as a coordinator's polls.
struct SqlSpans {
    tracer: SdkTracer,
    subscriber: TheSubscriber,
}

impl SqlSpans {
    fn record(&self, statement: Statement, database: Option<String>, parent: &opentelemetry::Context) {
        let ended_at = opentelemetry::time::now();
        let Statement { operation, summary, rows_affected, rows_returned, elapsed, .. } = statement;
        let mut attributes = vec![
            KeyValue::new(DB_OPERATION_NAME, operation),
            KeyValue::new(DB_QUERY_SUMMARY, summary.clone()),
            KeyValue::new(DB_RESPONSE_RETURNED_ROWS, rows_returned),
            KeyValue::new("db.response.affected_rows", rows_affected),
        ];
        attributes.extend(database.map(|system| KeyValue::new(DB_SYSTEM_NAME, system)));
        let builder = self
            .tracer
            .span_builder(summary)
            .with_kind(SpanKind::Client)
            .with_start_time(ended_at.checked_sub(elapsed).unwrap_or(ended_at))
            .with_attributes(attributes);
        self.tracer.build_with_context(builder, parent).end_with_timestamp(ended_at);
    }
}

/// Statements recorded so far below the outermost span of a process.
struct StatementCount(AtomicU32);

impl<S: Subscriber + for<'lookup> LookupSpan<'lookup>> Layer<S> for SqlSpans {
    fn on_register_dispatch(&self, subscriber: &Dispatch) {
        let _ = self.subscriber.0.set(subscriber.downgrade());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let Some(span) = context.event_span(event) else { return };
        let Some(parent) = self.subscriber.recorded(&span.id()) else { return };
        let Some(outermost) = span.scope().from_root().next() else { return };
        let reported = reported_below(&outermost);
        if reported >= MAX_STATEMENTS {
            let left_out = i64::from(reported - MAX_STATEMENTS) + 1;
            parent.span().set_attribute(KeyValue::new("db.statements_left_out", left_out));
            return;
        }
        let mut statement = Statement::default();
        event.record(&mut statement);
        let database = span
            .scope()
            .find_map(|span| span.extensions().get::<Database>().and_then(|Database(system)| system.clone()));
        self.record(statement, database, &parent);
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut database = Database(None);
        attributes.record(&mut database);
        if let (Database(Some(_)), Some(span)) = (&database, context.span(id)) {
            span.extensions_mut().insert(database);
        }
    }
}

/// How many statements were recorded below a span before this one.
fn reported_below<'a, S: LookupSpan<'a>>(outermost: &tracing_subscriber::registry::SpanRef<'a, S>) -> u32 {
    if let Some(StatementCount(count)) = outermost.extensions().get() {
        return count.fetch_add(1, Ordering::Relaxed);
    }
    outermost.extensions_mut().replace(StatementCount(AtomicU32::new(1)));
    0
}

/// The database that a span names for its statements.
struct Database(Option<String>);

impl Visit for Database {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == DB_SYSTEM_NAME {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// What sqlx reports about a statement.
#[derive(Default)]
struct Statement {
    summary: String,
    operation: &'static str,
    rows_affected: i64,
    rows_returned: i64,
    elapsed: Duration,
}

impl Statement {
    fn describe(&mut self, sql: &str) {
        let (operation, table) = operation_and_table(sql);
        self.operation = operation;
        self.summary = table.map_or_else(|| operation.to_owned(), |table| format!("{operation} {table}"));
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            // The whole statement, if the summary does not contain all of it.
            "db.statement" if !value.trim().is_empty() => self.describe(value),
            "summary" if self.summary.is_empty() => self.describe(value),
            _ => {}
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        match field.name() {
            "rows_affected" => self.rows_affected = value,
            "rows_returned" => self.rows_returned = value,
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.elapsed = Duration::try_from_secs_f64(value).unwrap_or_default();
        }
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn std::fmt::Debug) {}
}

/// A statement's operation and table: the verb that writes, if one follows common table
/// expressions, else the first verb.
fn operation_and_table(sql: &str) -> (&'static str, Option<&str>) {
    let words = || {
        sql.lines().map(|line| line.split("--").next().unwrap_or_default()).flat_map(str::split_whitespace)
    };
    let is = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let table_after = |keyword: &str| {
        let mut words = words().skip_while(|word| !is(word, keyword));
        words.nth(1).map(|word| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_'))
    };
    let writing = [("INSERT", "INTO"), ("UPDATE", "UPDATE"), ("DELETE", "FROM"), ("TRUNCATE", "TRUNCATE")];
    let first = words().next().unwrap_or_default();
    for (verb, before_table) in writing {
        if is(first, verb) || (is(first, "WITH") && words().any(|word| is(word, verb))) {
            return (verb, table_after(before_table));
        }
    }
    for verb in ["BEGIN", "COMMIT", "ROLLBACK", "CREATE", "SET", "COPY", "ANALYZE", "PRAGMA"] {
        if is(first.trim_end_matches(';'), verb) {
            return (verb, None);
        }
    }
    ("SELECT", table_after("FROM").filter(|table| !table.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_summed_up_by_what_it_does_to_which_table() {
        for (sql, expected) in [
            ("SELECT id FROM warehouse_versions FOR UPDATE", ("SELECT", Some("warehouse_versions"))),
            (
                "-- The candidates.\nWITH days AS (SELECT 1 FROM a)\nINSERT INTO fact_candidates (x)\nSELECT",
                ("INSERT", Some("fact_candidates")),
            ),
            ("WITH a AS (SELECT * FROM b) SELECT * FROM a", ("SELECT", Some("b"))),
            ("UPDATE pipeline_runs SET x = 1", ("UPDATE", Some("pipeline_runs"))),
            ("DELETE FROM fact_build", ("DELETE", Some("fact_build"))),
            ("TRUNCATE fact_candidates, fact_build_days", ("TRUNCATE", Some("fact_candidates"))),
            ("COMMIT", ("COMMIT", None)),
            ("SELECT 1", ("SELECT", None)),
        ] {
            assert_eq!(operation_and_table(sql), expected, "{sql}");
        }
    }
}
