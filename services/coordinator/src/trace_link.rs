//! Where a person opens the trace of a run.

use std::str::FromStr;

use telemetry::trace_context::SpanIdentity;
use warehouse::Run;

/// What stands for the trace's identifier.
const PLACEHOLDER: &str = "{trace_id}";

/// The address of a trace, with `{trace_id}` where its identifier belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLink(String);

impl TraceLink {
    /// The link to the trace of a run; `None` if it has none.
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
