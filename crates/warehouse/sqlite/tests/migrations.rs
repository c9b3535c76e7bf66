//! How the embedded engine handles files that other versions have migrated.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use warehouse_conformance::{EngineUnderTest, behaviours::migrations::Database};
use warehouse_core::{MigrationReport, Result};
use warehouse_sqlite::SqliteWarehouse;

/// A file that does not exist yet.
struct File {
    url: String,
    _folder: TempDir,
}

impl Database for File {
    async fn open(&self) -> Result<EngineUnderTest> {
        Ok(EngineUnderTest::new(SqliteWarehouse::open(&self.url).await?))
    }

    async fn migrate(&self) -> Result<MigrationReport> {
        SqliteWarehouse::migrate(&self.url).await
    }

    async fn execute(&self, statements: &'static str) {
        let mut connection = self.url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
        connection.execute(statements).await.unwrap();
        connection.close().await.unwrap();
    }
}

async fn create() -> File {
    let folder = tempfile::tempdir().unwrap();
    File { url: format!("sqlite://{}", folder.path().join("warehouse.sqlite").display()), _folder: folder }
}

warehouse_conformance::migrations!(create);
warehouse_conformance::rebuilds!(create);
