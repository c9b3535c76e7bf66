//! The phase of a process, from its start to its drain.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// The phase of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Not yet serving.
    Starting,
    /// Serving.
    Ready,
    /// Finishing the calls in flight.
    Draining,
}

/// Holds the phase of the process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lifecycle(Arc<AtomicU8>);

impl Lifecycle {
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    pub(crate) fn is(&self, phase: Phase) -> bool {
        self.0.load(Ordering::Acquire) == phase as u8
    }
}
