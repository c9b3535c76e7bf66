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
mod audit_trail;
mod backlog;
mod build;
mod candidate_months;
mod churn_order;
mod connect;
mod connection_string;
mod connections;
mod copy_rows;
mod crm;
mod crm_history;
mod database;
mod events;
mod export;
mod fault;
mod fence;
mod incoming;
mod inspection;
mod lease;
mod location;
mod locks;
mod lookups;
mod measure;
mod migration;
mod overview;
mod preview;
mod provenance;
mod publish;
mod published_state;
mod quarantine;
mod quarantine_store;
mod rebuild;
mod reconciliation;
mod reconciliation_log;
mod repeats;
mod replays;
mod retention;
mod run_audits;
mod run_choice;
mod run_rows;
mod runs;
mod schema;
mod statement_limits;
mod tally;
mod tls_problem;
mod totals;
mod usage;

pub use database::PostgresWarehouse;

use warehouse_core::Warehouse;

impl Warehouse for PostgresWarehouse {}
