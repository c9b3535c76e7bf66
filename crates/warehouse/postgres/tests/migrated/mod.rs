//! Fresh warehouses, each on its own copy of a migrated database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use test_postgres::{Database, OWNER, WRITER};
use tokio::sync::OnceCell;
use warehouse_conformance::EngineUnderTest;
use warehouse_postgres::PostgresWarehouse;

/// A fresh warehouse, open to a service's role, and the guard of its database. The URL of
/// the database is that of the server's superuser.
pub(crate) async fn open() -> (Database, EngineUnderTest) {
    static TEMPLATE: OnceCell<Database> = OnceCell::const_new();
    let template = TEMPLATE
        .get_or_init(|| async {
            let database = Database::create_with_roles().await.unwrap();
            PostgresWarehouse::migrate(&database.url_of(OWNER)).await.unwrap();
            database
        })
        .await;
    let database = template.copy().await.unwrap();
    let warehouse = PostgresWarehouse::open(&database.url_of(WRITER)).await.unwrap();
    (database, EngineUnderTest::new(warehouse))
}
