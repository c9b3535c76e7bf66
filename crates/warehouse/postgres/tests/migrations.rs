//! How Postgres handles databases that other versions have migrated.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sqlx::{ConnectOptions, Connection, Executor, postgres::PgConnectOptions};
use warehouse_conformance::{EngineUnderTest, behaviours::migrations::Database};
use warehouse_core::{MigrationReport, Result};
use warehouse_postgres::PostgresWarehouse;

struct Empty(test_postgres::Database);

impl Database for Empty {
    async fn open(&self) -> Result<EngineUnderTest> {
        Ok(EngineUnderTest::new(PostgresWarehouse::open(&self.0.url()).await?))
    }

    async fn migrate(&self) -> Result<MigrationReport> {
        PostgresWarehouse::migrate(&self.0.url()).await
    }

    async fn execute(&self, statements: &'static str) {
        let mut connection = self.0.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
        connection.execute(statements).await.unwrap();
        connection.close().await.unwrap();
    }
}

async fn create() -> Empty {
    Empty(test_postgres::Database::create().await.unwrap())
}

warehouse_conformance::migrations!(create);
warehouse_conformance::rebuilds!(create);
