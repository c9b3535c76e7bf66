//! The commands that talk to a running server, a module each.

pub mod activity;
pub mod backfill;
pub mod backfill_preview;
pub mod cancel;
pub mod churn;
pub mod freshness;
pub mod retry;
pub mod runs;
pub mod sample;
pub mod trigger;
pub mod watch;
