//! The production engine: Postgres through sqlx.
//!
//! Several coordinators and stage services write at the same time. Every transaction
//! locks what its decisions rest on, always in this order, so that they never deadlock:
//!
//! - control: the pipeline ([locks]), then its runs, then their stages;
//! - data: what is loaded or built ([locks]), then the row that counts changes to
//!   staging and publishes, and at the very end the stage ([fence]).
//!
//! Deliveries stream by COPY into tables of their connection before any lock is taken,
//! so a slow source blocks no one.
//!
//! Statements that fit on one line are inline; every other one is a file in `sql/`, or
//! in `../sql/` if all engines share it. All of them are checked against the schema
//! when this crate is compiled.

mod activity;
mod alerts;
mod backlog;
mod build;
mod connect;
mod connection_string;
mod connections;
mod copy_rows;
mod crm;
mod crm_history;
mod database;
mod events;
mod fault;
mod fence;
mod incoming;
mod inspection;
mod location;
mod locks;
mod measure;
mod migration;
mod preview;
mod publish;
mod quarantine;
mod retention;
mod run_choice;
mod run_rows;
mod runs;
mod tally;
mod usage;

use std::fmt;

use warehouse_core::{MigrationReport, Result, Warehouse};

use crate::connections::Connections;

/// The production engine.
#[derive(Clone)]
pub struct PostgresWarehouse {
    connections: Connections,
}

impl PostgresWarehouse {
    /// Connects to the database that `url` names
    /// (`postgres://user:password@host:5432/database`, or another form of libpq) and
    /// migrates its schema. `max_connections` in the URL's query limits the open
    /// connections; the default is 18, or what the role may have.
    ///
    /// # Errors
    /// If the URL is invalid, or the database cannot be reached or migrated.
    pub async fn open(url: &str) -> Result<Self> {
        Ok(database::open(url).await?)
    }

    /// Migrates the schema and does nothing else. Any number of processes may do so at
    /// the same time.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<MigrationReport> {
        Ok(migration::migrate(&location::parse(url)?).await?)
    }
}

impl fmt::Debug for PostgresWarehouse {
    /// Omits where it is connected to: connect options hold the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresWarehouse").finish_non_exhaustive()
    }
}

impl Warehouse for PostgresWarehouse {}
