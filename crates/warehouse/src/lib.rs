//! The storage engines behind one door: the contract of `warehouse-core`, and
//! [`open`] that picks the engine by URL.

pub use warehouse_core::*;

/// Opens the warehouse that `url` names and brings its schema up to date.
///
/// `sqlite:///path/to/file` is the embedded engine; the file and its folder are
/// created as needed. `postgres://user:password@host:5432/database` is the
/// production engine; `max_connections` in its query bounds the connections.
///
/// # Errors
/// If no engine knows the URL, or the database cannot be opened or migrated.
pub async fn open(url: &str) -> Result<SharedWarehouse> {
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(std::sync::Arc::new(warehouse_sqlite::SqliteWarehouse::open(url).await?)),
        Some(("postgres" | "postgresql", _)) => {
            Ok(std::sync::Arc::new(warehouse_postgres::PostgresWarehouse::open(url).await?))
        }
        _ => Err(Error::Precondition(
            "the warehouse URL names no known engine: use sqlite:///path/to/warehouse.sqlite or \
             postgres://user:password@host:5432/database"
                .to_owned(),
        )),
    }
}
