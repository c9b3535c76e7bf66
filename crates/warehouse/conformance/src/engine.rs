//! An engine as its tests hold it.

use std::{fmt, ops::Deref, sync::Arc};

use warehouse_core::{SharedWarehouse, Warehouse, inspection::StagingInspector};

/// An engine under test: the contract, and beside it what only tests look at.
#[derive(Clone)]
pub struct EngineUnderTest {
    warehouse: SharedWarehouse,
    /// Shows what is staged and what is in quarantine.
    pub staging: Arc<dyn StagingInspector>,
}

impl EngineUnderTest {
    /// Takes an engine that is open.
    pub fn new(engine: impl Warehouse + StagingInspector + 'static) -> Self {
        let staging = Arc::new(engine);
        Self { warehouse: staging.clone(), staging }
    }
}

impl fmt::Debug for EngineUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.warehouse.fmt(f)
    }
}

impl Deref for EngineUnderTest {
    type Target = SharedWarehouse;

    fn deref(&self) -> &SharedWarehouse {
        &self.warehouse
    }
}
