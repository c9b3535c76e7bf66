//! What the coordinator does with the warehouse.

use std::sync::Arc;

use warehouse::{
    ActivityReader, AlertOutbox, AuditTrail, BacklogReader, QuarantineStore, RunStore, SharedWarehouse,
};

/// The parts of the warehouse that the coordinator works on: it keeps runs and alerts and
/// what operators decide about rejected rows, and neither stages nor publishes.
#[derive(Clone)]
pub struct Stores {
    /// Runs and their stages.
    pub runs: Arc<dyn RunStore>,
    /// Alerts that wait for delivery.
    pub outbox: Arc<dyn AlertOutbox>,
    /// What operators did.
    pub audit: Arc<dyn AuditTrail>,
    /// Which days are published.
    pub published: Arc<dyn ActivityReader>,
    /// What waits, for the metrics.
    pub backlog: Arc<dyn BacklogReader>,
    /// Rows that could not be used.
    pub quarantine: Arc<dyn QuarantineStore>,
}

impl From<SharedWarehouse> for Stores {
    fn from(warehouse: SharedWarehouse) -> Self {
        Self {
            runs: warehouse.clone(),
            outbox: warehouse.clone(),
            audit: warehouse.clone(),
            published: warehouse.clone(),
            backlog: warehouse.clone(),
            quarantine: warehouse,
        }
    }
}
