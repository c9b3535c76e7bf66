//! Collectors for the tests.
//!
//! [`Receiver`] takes traces over OTLP inside the test process and keeps them;
//! a [`Trace`] is asked for whole, so that a test says which tree it expects.

mod receiver;
mod trace;

pub use receiver::Receiver;
pub use trace::{Span, Trace};
