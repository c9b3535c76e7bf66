//! What the coordinator does with the warehouse.

use std::sync::Arc;

use warehouse::{ActivityReader, AlertOutbox, BacklogReader, RunStore, SharedWarehouse};

/// The parts of the warehouse that the coordinator works on: it keeps runs and alerts, and
/// neither stages nor publishes.
#[derive(Clone)]
pub struct Stores {
    /// Runs and their stages.
    pub runs: Arc<dyn RunStore>,
    /// Alerts that wait for delivery.
    pub outbox: Arc<dyn AlertOutbox>,
    /// Which days are published.
    pub published: Arc<dyn ActivityReader>,
    /// What waits, for the metrics.
    pub backlog: Arc<dyn BacklogReader>,
}

impl From<SharedWarehouse> for Stores {
    fn from(warehouse: SharedWarehouse) -> Self {
        Self {
            runs: warehouse.clone(),
            outbox: warehouse.clone(),
            published: warehouse.clone(),
            backlog: warehouse,
        }
    }
}
