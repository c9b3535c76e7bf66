//! The end-to-end suite. A single binary, so that its dependencies are built once.

mod access;
mod azurite;
mod backfill;
mod collectors;
mod database_words;
mod events;
mod failures;
mod handover;
mod idempotence;
mod logs;
mod metrics;
mod order;
mod postgres;
mod probes;
mod python;
mod reach;
mod readers;
mod recovery;
mod run_trees;
mod schedule;
mod standalone;
mod tls;
mod traces;
mod upgrade;
mod vectors;
mod warehouse_commands;
