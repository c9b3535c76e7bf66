//! What every service is handed when it starts.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    admin::Lifecycle,
    clock::{Clock, SystemClock},
};

/// What every service is handed.
#[derive(Clone)]
pub struct Context {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the process begins to shut down: take up nothing new.
    pub shutdown: CancellationToken,
    /// Cancelled when the drain has run out of time: roll back what runs.
    pub hard_stop: CancellationToken,
    /// Where the process is between start and end.
    pub(crate) lifecycle: Lifecycle,
}

impl Context {
    /// A context on the machine's clock that nobody has shut down.
    #[must_use]
    pub fn new() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            shutdown: CancellationToken::new(),
            hard_stop: CancellationToken::new(),
            lifecycle: Lifecycle::default(),
        }
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
