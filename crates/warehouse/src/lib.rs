//! The storage engines behind one door: the contract of `warehouse-core`, and
//! [`open`] that picks the engine by URL.

mod observed;

use std::sync::Arc;

use metrics::PoolUse;
pub use warehouse_core::*;
use warehouse_postgres::PostgresWarehouse;
use warehouse_sqlite::SqliteWarehouse;

use crate::observed::Observed;

/// Opens the warehouse that `url` names and brings its schema up to date.
///
/// `sqlite:///path/to/file` is the embedded engine; the file and its folder are
/// created as needed. `postgres://user:password@host:5432/database` is the
/// production engine; `max_connections` in its query bounds the connections.
///
/// # Errors
/// If no engine knows the URL, or the database cannot be opened or migrated.
pub async fn open(url: &str) -> Result<SharedWarehouse> {
    let warehouse: SharedWarehouse = match engine_of(url)? {
        Engine::Sqlite => Arc::new(Observed::new(SqliteWarehouse::open(url).await?)),
        Engine::Postgres => Arc::new(Observed::new(PostgresWarehouse::open(url).await?)),
    };
    // Watching must not keep it open.
    let watched = Arc::downgrade(&warehouse);
    metrics::watch_pool(move || {
        let connections = watched.upgrade().map(|warehouse| warehouse.connections());
        let Connections { used, idle, max } = connections.unwrap_or_default();
        PoolUse { used, idle, max }
    });
    Ok(warehouse)
}

/// Brings the schema of the warehouse that `url` names up to date, as [`open`]
/// does, and nothing else. Any number of processes may do so at the same time.
///
/// # Errors
/// As [`open`].
pub async fn migrate(url: &str) -> Result<MigrationReport> {
    match engine_of(url)? {
        Engine::Sqlite => SqliteWarehouse::migrate(url).await,
        Engine::Postgres => PostgresWarehouse::migrate(url).await,
    }
}

enum Engine {
    Sqlite,
    Postgres,
}

fn engine_of(url: &str) -> Result<Engine> {
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(Engine::Sqlite),
        Some(("postgres" | "postgresql", _)) => Ok(Engine::Postgres),
        _ => Err(Error::Precondition(
            "the warehouse URL names no known engine: use sqlite:///path/to/warehouse.sqlite or \
             postgres://user:password@host:5432/database"
                .to_owned(),
        )),
    }
}
