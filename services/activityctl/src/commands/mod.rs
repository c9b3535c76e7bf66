//! The commands, one module each.

pub mod activity;
pub mod audit_log;
pub mod backfill;
pub mod backfill_preview;
pub mod cancel;
pub mod churn;
pub mod companies;
pub mod explain;
pub mod freshness;
pub mod maintain;
pub mod migrate;
pub mod published_days;
pub mod quarantine;
pub mod reconcile;
pub mod reconcile_heal;
pub mod retry;
pub mod runs;
pub mod sample;
pub mod sources;
pub mod trends;
pub mod trigger;
pub mod unpublish;
pub mod verify;
pub mod watch;
pub mod whoami;
