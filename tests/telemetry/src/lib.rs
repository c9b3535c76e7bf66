//! Collectors for the tests.
//!
//! [`Receiver`] takes traces over OTLP inside the test process and keeps them,
//! [`Jaeger`] is the real one; a [`Trace`] is asked for whole, so that a test says
//! which tree it expects of either.

pub mod jaeger;
mod receiver;
mod trace;

pub use jaeger::Jaeger;
pub use receiver::Receiver;
pub use trace::{Span, Trace};
