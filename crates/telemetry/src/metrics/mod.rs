//! Every metric of the suite: what it is called, what it counts,
//! and what it is told apart by. `docs/metrics.md` is written from this list.

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
