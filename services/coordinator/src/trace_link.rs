//! Links to the trace of a run.

use std::str::FromStr;

use telemetry::trace_context::SpanIdentity;
use warehouse::Run;

/// The placeholder for the trace's identifier.
const PLACEHOLDER: &str = "{trace_id}";

/// The URL of a trace, with `{trace_id}` in place of its identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLink(String);

impl TraceLink {
    /// The link to a run's trace; `None` if the run has none.
    pub(crate) fn of(&self, run: &Run) -> Option<String> {
        let identity = SpanIdentity::parse(run.traceparent.as_deref()?)?;
        Some(self.0.replace(PLACEHOLDER, &identity.trace_id()))
    }
}

impl FromStr for TraceLink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(PLACEHOLDER) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "write {PLACEHOLDER} where the trace's identifier belongs, for example http://jaeger:16686/trace/{PLACEHOLDER}"
        ))
    }
}
