//! What the coordinator does with the warehouse.

use std::sync::Arc;

use warehouse::{
    ActivityReader, AlertOutbox, AlertReader, AuditTrail, BacklogReader, QuarantineStore, ReconciliationLog,
    RunAuditReader, RunStore, SharedWarehouse,
};

/// The parts of the warehouse that the coordinator works on: it keeps runs and alerts and
/// what operators decide about rejected rows, and neither stages nor publishes.
#[derive(Clone)]
pub struct Stores {
    /// Runs and their stages.
    pub runs: Arc<dyn RunStore>,
    /// Alerts that wait for delivery.
    pub outbox: Arc<dyn AlertOutbox>,
    /// What people were alerted of.
    pub alerts: Arc<dyn AlertReader>,
    /// What the audits of runs found.
    pub run_audits: Arc<dyn RunAuditReader>,
    /// Comparisons with the product API.
    pub reconciliations: Arc<dyn ReconciliationLog>,
    /// What operators did.
    pub audit: Arc<dyn AuditTrail>,
    /// Which days are published.
    pub published: Arc<dyn ActivityReader>,
    /// What waits.
    pub backlog: Arc<dyn BacklogReader>,
    /// Rows that could not be used.
    pub quarantine: Arc<dyn QuarantineStore>,
}

impl From<SharedWarehouse> for Stores {
    fn from(warehouse: SharedWarehouse) -> Self {
        Self {
            runs: warehouse.clone(),
            outbox: warehouse.clone(),
            alerts: warehouse.clone(),
            run_audits: warehouse.clone(),
            reconciliations: warehouse.clone(),
            audit: warehouse.clone(),
            published: warehouse.clone(),
            backlog: warehouse.clone(),
            quarantine: warehouse,
        }
    }
}
