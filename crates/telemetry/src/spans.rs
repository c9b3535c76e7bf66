//! Failures and counts on spans, recorded the same way everywhere.

use std::fmt::Display;

use domain::{Counters, FailureKind};
use opentelemetry::{KeyValue, trace::TraceContextExt};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The scope under which all spans of the suite are exported. Renaming it would split
/// the traces stored in a backend.
pub const SCOPE: &str = "runtime";

/// The target of spans that exist only for log lines and appear in no trace.
pub const LOG_ONLY: &str = "log_only";

/// `info_span!` for work that can fail: declares the fields of
/// [`record_failure`](crate::spans::record_failure).
#[macro_export]
macro_rules! failable_span {
    ($name:literal, $($fields:tt)*) => {
        $crate::tracing::info_span!(
            $name,
            error.type = $crate::tracing::field::Empty,
            otel.status_code = $crate::tracing::field::Empty,
            otel.status_description = $crate::tracing::field::Empty,
            $($fields)*
        )
    };
}

/// [`failable_span!`] for work that counts rows: declares the fields of
/// [`record_counters`](crate::spans::record_counters).
#[macro_export]
macro_rules! counted_span {
    ($name:literal, $($fields:tt)*) => {
        $crate::failable_span!(
            $name,
            pipeline.rows_read = $crate::tracing::field::Empty,
            pipeline.rows_written = $crate::tracing::field::Empty,
            pipeline.rows_unchanged = $crate::tracing::field::Empty,
            pipeline.rows_duplicate = $crate::tracing::field::Empty,
            pipeline.rows_rejected = $crate::tracing::field::Empty,
            pipeline.rows_removed = $crate::tracing::field::Empty,
            pipeline.bytes_read = $crate::tracing::field::Empty,
            $($fields)*
        )
    };
}

/// Records a failure on a [`failable_span!`]: its kind, its status, and an event with the
/// cause.
///
/// The event appears only in the trace. The log reports an error once, where it is handled.
pub fn record_failure(span: &Span, error_type: &str, cause: &dyn Display) {
    let message = cause.to_string();
    record_status(span, error_type, &message);
    let attributes = vec![
        KeyValue::new("exception.type", error_type.to_owned()),
        KeyValue::new("exception.message", message),
    ];
    span.add_event("exception", attributes);
}

/// [`record_failure`] with the failure's kind as `error.type`.
pub fn record_failure_of(span: &Span, kind: FailureKind, cause: &dyn Display) {
    record_failure(span, kind.name(), cause);
}

/// [`record_failure`] without the event, for spans of calls: a child span has the cause.
pub fn record_status(span: &Span, error_type: &str, message: &str) {
    span.record("error.type", error_type);
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", message);
}

/// Whether a span's trace is recorded. Spans below one that is not go nowhere.
#[must_use]
pub fn is_recorded(span: &Span) -> bool {
    span.context().span().span_context().is_sampled()
}

/// Records on a server's span who calls, under the standard's name. The span declares the
/// field `enduser.id`.
pub fn record_caller(span: &Span, name: &str) {
    span.record("enduser.id", name);
}

/// A count as an attribute: an unsigned number would be exported as text.
#[must_use]
pub fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Counters under the names of a [`counted_span!`]'s fields.
#[must_use]
pub const fn counted(counters: &Counters) -> [(&'static str, u64); 7] {
    [
        ("pipeline.rows_read", counters.rows_read),
        ("pipeline.rows_written", counters.rows_written),
        ("pipeline.rows_unchanged", counters.rows_unchanged),
        ("pipeline.rows_duplicate", counters.rows_duplicate),
        ("pipeline.rows_rejected", counters.rows_rejected),
        ("pipeline.rows_removed", counters.rows_removed),
        ("pipeline.bytes_read", counters.bytes_read),
    ]
}

/// Records counters on a [`counted_span!`].
pub fn record_counters(span: &Span, counters: &Counters) {
    for (name, counted) in counted(counters) {
        span.record(name, count(counted));
    }
}

#[cfg(test)]
mod tests {
    use test_telemetry::{Recorder, Span as Recorded};

    use super::*;

    async fn recorded(work: impl FnOnce() -> Span) -> Recorded {
        let recorder = Recorder::start().unwrap();
        let ((), trace) = recorder.trace(async { drop(work()) }).await;
        trace.named("work").remove(0).clone()
    }

    #[tokio::test]
    async fn a_failure_is_status_kind_and_cause() {
        let span = recorded(|| {
            let span = failable_span!("work", pipeline.day = "2026-01-05");
            record_failure_of(&span, FailureKind::TimedOut, &"no answer within 1s");
            span
        })
        .await;
        assert_eq!(span.error.as_deref(), Some("no answer within 1s"));
        assert_eq!(span.attributes["error.type"], "TimedOut");
        assert_eq!(span.attributes["pipeline.day"], "2026-01-05");
        assert_eq!(
            (&span.events[..], &span.causes[..]),
            (&["exception".to_owned()][..], &["no answer within 1s".to_owned()][..])
        );
    }

    #[tokio::test]
    async fn a_status_is_kind_and_message_without_an_event() {
        let span = recorded(|| {
            let span = failable_span!("work",);
            record_status(&span, "DATA_LOSS", "no file");
            span
        })
        .await;
        assert_eq!(span.error.as_deref(), Some("no file"));
        assert_eq!(span.attributes["error.type"], "DATA_LOSS");
        assert!(span.events.is_empty(), "{:?}", span.events);
    }

    #[tokio::test]
    async fn every_counter_has_its_field() {
        let counters = Counters { rows_read: 7, bytes_read: 9, ..Counters::default() };
        let span = recorded(|| {
            let span = counted_span!("work",);
            record_counters(&span, &counters);
            span
        })
        .await;
        for (name, counted) in counted(&counters) {
            assert_eq!(span.attributes[name], counted.to_string(), "{name}");
        }
    }
}
