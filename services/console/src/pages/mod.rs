//! The pages, one module each: what it asks of the services, and how it shows the answer.

pub(crate) mod backfill;
pub(crate) mod churn;
pub(crate) mod companies;
pub(crate) mod company;
pub(crate) mod day;
pub(crate) mod overview;
pub(crate) mod quality;
pub(crate) mod run;
pub(crate) mod runs;
