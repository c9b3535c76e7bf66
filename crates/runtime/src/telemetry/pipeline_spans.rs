//! What spans of runs and stages say, the same on both ends of a call.

use domain::{Counters, DateWindow};
use opentelemetry::KeyValue;
use tracing::{Span, field::Empty, info_span};
use uuid::Uuid;

/// One attempt of one stage, as spans describe it.
#[derive(Debug, Clone, Copy)]
pub struct StageAttempt<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// The run.
    pub run_id: Uuid,
    /// The run's business days.
    pub window: DateWindow,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl StageAttempt<'_> {
    /// What a span for the attempt says of it.
    #[must_use]
    pub fn attributes(&self) -> Vec<KeyValue> {
        vec![
            KeyValue::new("pipeline.name", self.pipeline.to_owned()),
            KeyValue::new("pipeline.stage", self.stage.to_owned()),
            KeyValue::new("pipeline.run_id", self.run_id.to_string()),
            KeyValue::new("pipeline.business_date", self.window.end().to_string()),
            KeyValue::new("pipeline.window", self.window.to_string()),
            KeyValue::new("pipeline.attempt", i64::from(self.attempt)),
        ]
    }

    /// A span called `name` for the attempt.
    #[must_use]
    pub fn span(&self, name: &str) -> Span {
        info_span!(
            "stage",
            otel.name = name,
            pipeline.name = self.pipeline,
            pipeline.stage = self.stage,
            pipeline.run_id = %self.run_id,
            pipeline.business_date = %self.window.end(),
            pipeline.window = %self.window,
            pipeline.attempt = self.attempt,
            pipeline.rows_read = Empty,
            pipeline.rows_written = Empty,
            pipeline.rows_unchanged = Empty,
            pipeline.rows_duplicate = Empty,
            pipeline.rows_rejected = Empty,
            pipeline.rows_removed = Empty,
            pipeline.bytes_read = Empty,
            error.type = Empty,
            otel.status_code = Empty,
            otel.status_description = Empty,
        )
    }
}

/// What an attempt committed, by the names of spans' attributes.
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

/// Puts what an attempt committed on its span.
pub fn record_counters(span: &Span, counters: &Counters) {
    for (name, count) in counted(counters) {
        span.record(name, spans::count(count));
    }
}

/// Puts why an attempt failed on its span: the gRPC status code's name, and the
/// message that people are told.
pub fn record_failure(span: &Span, code: &str, message: &str) {
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", message);
}
