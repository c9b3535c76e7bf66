//! The pages, one module each: what it asks of the services, and how it shows the answer.

mod alerted;
mod audited;
pub(crate) mod backfill;
pub(crate) mod churn;
pub(crate) mod companies;
pub(crate) mod company;
pub(crate) mod day;
pub(crate) mod overview;
pub(crate) mod quality;
pub(crate) mod run;
pub(crate) mod runs;

use std::time::Duration;

/// How long a page waits for an answer that comes in several messages: less than the server gives
/// a page to begin, so that it can still say what to do.
const PATIENCE: Duration = Duration::from_secs(50);
