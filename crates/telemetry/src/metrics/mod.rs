//! Every metric of the suite: its name, what it measures, and its attributes.
//! `docs/metrics.md` is written from this list.

mod catalogue;
#[cfg(test)]
mod documentation;
mod http_requests;
mod metric;
mod pool;

pub use catalogue::*;
pub use http_requests::HttpRequests;
pub use metric::{Kind, Metric};
pub use pool::{PoolUse, watch_pool};
