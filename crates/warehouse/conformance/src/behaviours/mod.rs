//! The behaviours, by topic.

pub mod activity;
pub mod alerts;
pub mod audit_trail;
pub mod backfill;
pub mod crm;
pub mod crm_unreadable;
pub mod events;
pub mod fact;
pub mod fences;
pub mod kept_history;
pub mod ledger;
pub mod migrations;
pub mod orders;
pub mod overview;
pub mod publish;
pub mod quarantine;
pub mod rebuild;
pub mod replays;
pub mod retention;
pub mod runs;
pub mod triggers;
pub mod unpublish;
pub mod usage;
pub mod usage_unreadable;
