//! The embedded engine: SQLite through sqlx.
//!
//! One process, one data folder, nothing to install. SQLite has one writer at a
//! time, so all writes go through one connection in `BEGIN IMMEDIATE`
//! transactions; readers see the last committed state without waiting (WAL).
//!
//! Statements that fit on one line are inline; every other one is a file in `sql/`, or
//! in `../sql/` if all engines share it. All of them are checked against the schema
//! when this crate is compiled.

mod activity;
mod alerts;
mod backlog;
mod build;
mod checksum;
mod crm;
mod crm_history;
mod database;
mod events;
mod fault;
mod fence;
mod incoming;
mod inspection;
mod migration;
mod preview;
mod publish;
mod quarantine;
mod retention;
mod run_choice;
mod run_rows;
mod runs;
mod shadow;
mod usage;

use sqlx::SqlitePool;
use warehouse_core::{MigrationReport, Result, Warehouse};

/// The embedded engine.
#[derive(Debug, Clone)]
pub struct SqliteWarehouse {
    /// The only connection that writes.
    writer: SqlitePool,
    /// Connections that only read.
    readers: SqlitePool,
    /// Connections held by exports and previews while they last.
    exports: SqlitePool,
}

impl SqliteWarehouse {
    /// Opens the database file that `url` names (`sqlite:///path/to/file`), creates it
    /// and its folder as needed, and migrates its schema.
    ///
    /// # Errors
    /// If the URL is invalid, or the file cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(database::open(url).await?)
    }

    /// Migrates the schema and does nothing else. Any number of processes may do so at
    /// the same time.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<MigrationReport> {
        Ok(database::migrate(url).await?)
    }
}

impl Warehouse for SqliteWarehouse {}
