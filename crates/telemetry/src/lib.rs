//! The content of spans and metrics, in one place for every crate that records them.
//! Where they go is decided where a process starts.

pub mod metrics;
pub mod spans;
pub mod stage_spans;
pub mod trace_context;

#[doc(hidden)]
pub use tracing;
