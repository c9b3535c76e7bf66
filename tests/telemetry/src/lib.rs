//! Collectors for the tests, of traces and of [`Metrics`].
//!
//! [`Receiver`] receives traces over OTLP inside the test process and keeps
//! them, [`Recorder`] keeps those of the process without a collector, and
//! [`Jaeger`] is the real one; a [`Trace`] is returned whole, so that a test
//! states the tree it expects from any of them.

pub mod jaeger;
mod metrics;
mod receiver;
mod recorder;
mod trace;

pub use jaeger::Jaeger;
pub use metrics::Metrics;
pub use receiver::Receiver;
pub use recorder::Recorder;
pub use trace::{Span, Trace};
