//! The single entry to the storage engines: the contract of `warehouse-core`, and
//! [`open`], which picks the engine by URL.
//!
//! Its futures are boxed, because the body of an `async fn` is compiled again in every
//! crate that awaits it, and here that body is two engines.

mod observed;

use std::sync::Arc;

use futures::future::BoxFuture;
use telemetry::metrics::{self, PoolUse};
pub use warehouse_core::*;
use warehouse_postgres::PostgresWarehouse;
use warehouse_sqlite::SqliteWarehouse;

use crate::observed::Observed;

/// Opens the warehouse that `url` names and brings its schema up to date, where the role
/// in the URL may do so.
///
/// `sqlite:///path/to/file` is the embedded engine; the file and its folder are created
/// as needed. `postgres://user:password@host:5432/database`, also in libpq's other
/// forms, is the production engine; `max_connections` in its query limits the
/// connections.
///
/// # Errors
/// If no engine supports the URL, or the database cannot be opened or migrated.
pub fn open(url: &str) -> BoxFuture<'_, Result<SharedWarehouse>> {
    Box::pin(async move {
        Ok(match engine_of(url)? {
            Engine::Sqlite => watched(SqliteWarehouse::open(url).await?),
            Engine::Postgres => watched(PostgresWarehouse::open(url).await?),
        })
    })
}

/// Opens the warehouse that `url` names for a program that reads what is published. On
/// Postgres it leaves the schema alone, and takes a standby and a role that may only
/// read. A file has no roles, so the embedded engine opens it as [`open`] does.
///
/// # Errors
/// As for [`open`], and if Postgres has no schema that this program can read.
pub fn open_to_read(url: &str) -> BoxFuture<'_, Result<SharedWarehouse>> {
    Box::pin(async move {
        Ok(match engine_of(url)? {
            Engine::Sqlite => watched(SqliteWarehouse::open(url).await?),
            Engine::Postgres => watched(PostgresWarehouse::open_to_read(url).await?),
        })
    })
}

/// An engine whose calls are traced, and whose connections are counted.
fn watched<W: Warehouse + 'static>(engine: W) -> SharedWarehouse {
    let warehouse: SharedWarehouse = Arc::new(Observed::new(engine));
    // Watching must not keep the warehouse open.
    let watched = Arc::downgrade(&warehouse);
    metrics::watch_pool(move || {
        let connections = watched.upgrade().map(|warehouse| warehouse.connections());
        let Connections { used, idle, max } = connections.unwrap_or_default();
        PoolUse { used, idle, max }
    });
    warehouse
}

/// Migrates the schema of the warehouse that `url` names, as [`open`] does, and nothing
/// else. Any number of processes may do so at the same time.
///
/// # Errors
/// As for [`open`].
pub fn migrate(url: &str) -> BoxFuture<'_, Result<MigrationReport>> {
    Box::pin(async move {
        match engine_of(url)? {
            Engine::Sqlite => SqliteWarehouse::migrate(url).await,
            Engine::Postgres => PostgresWarehouse::migrate(url).await,
        }
    })
}

enum Engine {
    Sqlite,
    Postgres,
}

fn engine_of(url: &str) -> Result<Engine> {
    let forms = "sqlite:///path/to/warehouse.sqlite or postgres://user:password@host:5432/database";
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
    let problem = match scheme.as_deref() {
        Some("sqlite") => return Ok(Engine::Sqlite),
        Some("postgres" | "postgresql") => return Ok(Engine::Postgres),
        Some("jdbc") => "is one for JDBC: leave out `jdbc:`, and put user and password before the host",
        Some(scheme) if scheme.starts_with("postgresql+") || scheme.starts_with("postgres+") => {
            "names a driver of another language: leave out `+` and what follows it"
        }
        // libpq's other form; a password in it may contain a colon.
        _ if is_libpq_pairs(url) => return Ok(Engine::Postgres),
        _ => "names no known engine",
    };
    Err(Error::Precondition(format!("the warehouse URL {problem}: use {forms}")))
}

/// Whether a text begins like `host=... dbname=...`.
fn is_libpq_pairs(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim();
        !name.is_empty() && name.chars().all(|character| character.is_ascii_lowercase() || character == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_url_and_a_url_of_another_tool_is_refused_with_the_cure() {
        for url in [
            "postgres://me:pw@db/x",
            "postgresql://me@db/x",
            "POSTGRES://me@db/x",
            "host=db dbname=x password='a:b'",
            "host=::1 dbname=x",
        ] {
            assert!(matches!(engine_of(url), Ok(Engine::Postgres)), "{url}");
        }
        assert!(matches!(engine_of("sqlite:///data/x.sqlite"), Ok(Engine::Sqlite)));
        for (url, cure) in [
            ("jdbc:postgresql://db/x?user=me&password=hunter2", "leave out `jdbc:`"),
            ("postgresql+psycopg2://me:hunter2@db/x", "leave out `+`"),
            ("mysql://me:hunter2@db/x", "names no known engine"),
            ("me:hunter2@db/x", "names no known engine"),
            ("", "names no known engine"),
        ] {
            let problem = engine_of(url).err().map(|error| error.to_string()).unwrap();
            assert!(problem.contains(cure) && problem.contains("postgres://user:password@host"), "{problem}");
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }
}
