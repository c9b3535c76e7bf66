//! Collectors for the tests, of traces and of [`Metrics`].
//!
//! [`Receiver`] takes traces over OTLP inside the test process and keeps them,
//! [`Recorder`] keeps those of the process without a collector, [`Jaeger`] is the
//! real one; a [`Trace`] is asked for whole, so that a test says
//! which tree it expects of either.

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
