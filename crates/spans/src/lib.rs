//! What spans say of failures, the same everywhere.

use std::fmt::Display;

use domain::FailureKind;
use opentelemetry::KeyValue;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Puts a failure on a span, which has to declare `error.type`, `otel.status_code`
/// and `otel.status_description`: its kind, its status, and an event with the cause.
///
/// The event is one of the trace alone. The log tells of an error once, where it
/// is dealt with.
pub fn record_failure(span: &Span, error_type: &str, cause: &dyn Display) {
    let message = cause.to_string();
    span.record("error.type", error_type);
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", &*message);
    let attributes = vec![
        KeyValue::new("exception.type", error_type.to_owned()),
        KeyValue::new("exception.message", message),
    ];
    span.add_event("exception", attributes);
}

/// [`record_failure`] with the failure's kind as `error.type`.
pub fn record_failure_of(span: &Span, kind: FailureKind, cause: &dyn Display) {
    record_failure(span, &format!("{kind:?}"), cause);
}

/// A count as an attribute: what is unsigned would arrive as text.
#[must_use]
pub fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use test_telemetry::Recorder;
    use tracing::{field::Empty, info_span};

    use super::*;

    #[tokio::test]
    async fn a_failure_is_status_kind_and_cause() {
        let recorder = Recorder::start().unwrap();
        let ((), trace) = recorder
            .trace(async {
                let span = info_span!(
                    "work",
                    error.type = Empty,
                    otel.status_code = Empty,
                    otel.status_description = Empty,
                );
                record_failure_of(&span, FailureKind::TimedOut, &"no answer within 1s");
            })
            .await;
        let span = trace.named("work").remove(0);
        assert_eq!(span.error.as_deref(), Some("no answer within 1s"));
        assert_eq!(span.attributes["error.type"], "TimedOut");
        assert_eq!(
            (&span.events[..], &span.causes[..]),
            (&["exception".to_owned()][..], &["no answer within 1s".to_owned()][..])
        );
    }
}
