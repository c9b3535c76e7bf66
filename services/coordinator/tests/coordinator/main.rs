//! The coordinator over the real embedded engine, with scripted stage services
//! and a scripted notifier behind real gRPC.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "tests may panic: that is how they fail")]

mod alerts;
mod api;
mod audit;
mod backfill;
mod explanations;
mod monitoring;
mod order;
mod previews;
mod quarantine;
mod reconciliations;
mod resume;
mod retries;
mod script;
mod slow_stage;
mod suite;
mod watchdog;
