//! The behaviours, by the trait they belong to.

pub mod activity;
pub mod alerts;
pub mod crm;
pub mod fact;
pub mod runs;
pub mod usage;
