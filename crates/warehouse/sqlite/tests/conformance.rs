//! The behaviours that every storage engine must show, on the embedded engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use warehouse_core::SharedWarehouse;
use warehouse_sqlite::SqliteWarehouse;

async fn open() -> (tempfile::TempDir, SharedWarehouse) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse = SqliteWarehouse::open(&url).await.unwrap();
    (folder, Arc::new(warehouse))
}

warehouse_conformance::suite!(open);
