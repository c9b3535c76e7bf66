//! The span of a file being loaded.

use domain::FailureKind;
use telemetry::{counted_span, spans};
use tracing::{Instrument, Span};

use crate::{
    error::Error,
    loader::{Loaded, Unit},
};

/// Loads a unit in a span that records the result.
pub(crate) async fn in_span_of<T>(
    unit: &Unit<T>,
    load: impl Future<Output = Result<Loaded, Error>>,
) -> Result<Loaded, Error> {
    let span = span_of(unit);
    let outcome = load.instrument(span.clone()).await;
    match &outcome {
        Ok(Loaded::Now(loaded)) => spans::record_counters(&span, &loaded.counters),
        Ok(Loaded::Refused(problem)) => {
            spans::record_failure_of(&span, FailureKind::InvalidInput, problem);
        }
        Err(error) => spans::record_failure_of(&span, error.kind(), error),
    }
    outcome
}

fn span_of<T>(unit: &Unit<T>) -> Span {
    let path = unit.files.last().map_or("", |file| file.path.as_str());
    let name = path.rsplit('/').next().unwrap_or_default();
    let size: u64 = unit.files.iter().map(|file| file.size).sum();
    counted_span!(
        "file",
        otel.name = format!("copy {name}"),
        file.path = path,
        file.size = spans::count(size),
    )
}
