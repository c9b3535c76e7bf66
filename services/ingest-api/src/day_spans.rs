//! One span per day, up to what a trace can show; then one for all further days.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use chrono::NaiveDate;
use telemetry::{counted_span, failable_span, spans};
use tracing::{Instrument, Span, field::Empty};

use crate::error::Error;

/// Days per call that get their own span.
pub(crate) const MAX_DAY_SPANS: u32 = 400;

/// The spans of one call's work on days.
#[derive(Debug)]
pub(crate) struct DaySpans {
    operation: &'static str,
    days: AtomicU32,
    further_days: OnceLock<Span>,
}

impl DaySpans {
    pub(crate) const fn new(operation: &'static str) -> Self {
        Self { operation, days: AtomicU32::new(0), further_days: OnceLock::new() }
    }

    /// The span for a day's work.
    pub(crate) fn of(&self, day: NaiveDate) -> Span {
        if self.days.fetch_add(1, Ordering::Relaxed) < MAX_DAY_SPANS {
            return self.of_one(day);
        }
        self.further_days.get_or_init(|| self.of_further_days(day)).clone()
    }

    fn of_one(&self, day: NaiveDate) -> Span {
        counted_span!(
            "day",
            otel.name = format!("{} {day}", self.operation),
            pipeline.day = %day,
        )
    }

    /// Without row counts: those of single days would overwrite each other.
    fn of_further_days(&self, first: NaiveDate) -> Span {
        failable_span!(
            "further days",
            otel.name = format!("{} further days", self.operation),
            pipeline.first_day = %first,
            pipeline.days = Empty,
        )
    }
}

impl Drop for DaySpans {
    fn drop(&mut self) {
        if let Some(span) = self.further_days.get() {
            let further = *self.days.get_mut() - MAX_DAY_SPANS;
            span.record("pipeline.days", i64::from(further));
        }
    }
}

/// Runs a day's work in its span, and records its failure.
pub(crate) async fn observe<T>(span: Span, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = work.instrument(span.clone()).await;
    if let Err(error) = &outcome {
        spans::record_failure_of(&span, error.kind(), error);
    }
    outcome
}
