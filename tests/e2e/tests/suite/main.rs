//! The end-to-end suite. One binary, so that what it needs is built once.

mod azurite;
mod backfill;
mod events;
mod failures;
mod idempotence;
mod order;
mod postgres;
mod python;
mod readers;
mod recovery;
mod schedule;
mod standalone;
mod vectors;
mod warehouse_commands;
