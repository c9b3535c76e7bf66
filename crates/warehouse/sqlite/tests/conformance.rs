//! The behaviours that every storage engine must show, on the embedded engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use warehouse_conformance::EngineUnderTest;
use warehouse_sqlite::SqliteWarehouse;

async fn open() -> (tempfile::TempDir, EngineUnderTest) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse = SqliteWarehouse::open(&url).await.unwrap();
    (folder, EngineUnderTest::new(warehouse))
}

warehouse_conformance::suite!(open);
