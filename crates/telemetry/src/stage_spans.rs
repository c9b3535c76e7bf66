//! Spans of stages, the same on both ends of a call.

use domain::DateWindow;
use opentelemetry::KeyValue;
use tracing::Span;
use uuid::Uuid;

use crate::counted_span;

/// One attempt of one stage, as spans describe it.
#[derive(Debug, Clone, Copy)]
pub struct StageAttempt<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The stage's name.
    pub stage: &'a str,
    /// The run's id.
    pub run_id: Uuid,
    /// The run's business days.
    pub window: DateWindow,
    /// The attempt number, from 1.
    pub attempt: u32,
}

impl StageAttempt<'_> {
    /// The attributes of the attempt's spans.
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
        counted_span!(
            "stage",
            otel.name = name,
            pipeline.name = self.pipeline,
            pipeline.stage = self.stage,
            pipeline.run_id = %self.run_id,
            pipeline.business_date = %self.window.end(),
            pipeline.window = %self.window,
            pipeline.attempt = self.attempt,
        )
    }
}
