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
mod audit_trail;
mod backlog;
mod build;
mod checksum;
mod crm;
mod crm_history;
mod database;
mod events;
mod fact_index;
mod fault;
mod fence;
mod history;
mod incoming;
mod inspection;
mod migration;
mod newest_days;
mod overview;
mod preview;
mod provenance;
mod publish;
mod published_state;
mod quarantine;
mod quarantine_store;
mod reader;
mod rebuild;
mod reconciliation;
mod reconciliation_log;
mod replays;
mod retention;
mod run_audits;
mod run_choice;
mod run_rows;
mod runs;
mod shadow;
mod totals;
mod transaction;
mod usage;

pub use database::SqliteWarehouse;

use warehouse_core::Warehouse;

impl Warehouse for SqliteWarehouse {}
