//! The pages, one module each: what it asks of the services, and how it shows the answer.

pub(crate) mod backfill;
pub(crate) mod overview;
pub(crate) mod run;
pub(crate) mod runs;
