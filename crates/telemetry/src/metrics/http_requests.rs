//! Metrics of HTTP requests to a peer.

use std::time::Duration;

use opentelemetry::{KeyValue, metrics::Histogram};

use super::catalogue::HTTP_CLIENT_DURATION;

/// Records how long requests to one peer take.
#[derive(Debug, Clone)]
pub struct HttpRequests {
    method: &'static str,
    peer: &'static str,
    durations: Histogram<f64>,
}

impl HttpRequests {
    /// Requests with this method to `peer`, as the catalogue calls it.
    #[must_use]
    pub fn new(method: &'static str, peer: &'static str) -> Self {
        Self { method, peer, durations: HTTP_CLIENT_DURATION.histogram() }
    }

    /// Records a request that took `took` and got this status; `None` without a response.
    pub fn record(&self, took: Duration, status: Option<u16>) {
        let mut attributes =
            vec![KeyValue::new("http.request.method", self.method), KeyValue::new("peer", self.peer)];
        attributes.extend(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
        self.durations.record(took.as_secs_f64(), &attributes);
    }
}
