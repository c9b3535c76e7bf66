//! What every service receives when it starts.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use tokio_util::sync::CancellationToken;
use warehouse_core::AuditTrail;

use crate::{
    audit::Auditor,
    clock::{Clock, SystemClock},
    lifecycle::Lifecycle,
};

/// What every service receives when it starts.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the process begins to shut down: start nothing new.
    pub shutdown: CancellationToken,
    /// Cancelled when the drain time is up: roll back what is running.
    pub hard_stop: CancellationToken,
    /// The current phase of the process.
    pub(crate) lifecycle: Lifecycle,
    /// Where the admin port records what it changes, once the warehouse is open.
    trail: Arc<OnceLock<Arc<dyn AuditTrail>>>,
}

impl Context {
    /// A context on the machine's clock, not shut down.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            shutdown: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
            lifecycle: Lifecycle::default(),
            trail: Arc::default(),
        }
    }

    /// Records changes through the admin port in `trail`. The first one counts.
    pub fn audit_in(&self, trail: Arc<dyn AuditTrail>) {
        let _ = self.trail.set(trail);
    }

    /// What records changes through the admin port; `None` until the warehouse is open.
    pub(crate) fn auditor(&self) -> Option<Auditor> {
        Some(Auditor::new(self.trail.get()?.clone(), self.clock.clone()))
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("shutdown", &self.shutdown.is_cancelled()).finish_non_exhaustive()
    }
}
