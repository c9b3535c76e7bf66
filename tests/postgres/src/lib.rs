//! Databases on a throw-away Postgres for tests.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let database = test_postgres::Database::create().await?; // empty, dropped with the value
//! let copy = database.copy().await?;
//! # Ok(()) }
//! ```
//!
//! They live on the server in `TEST_POSTGRES_URL` (its user must be allowed to
//! create databases), else on a private cluster that the first of them starts
//! and that ends with the test process, however that ends.

mod cluster;
mod database;
mod pooler;
mod psql;

pub use cluster::{Cluster, PRODUCTION_SIZE, binaries};
pub use database::{Database, OWNER, READER, WRITER};
pub use pooler::Pooler;
pub use psql::{psql, psql_times};
