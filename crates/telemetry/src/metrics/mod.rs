//! Every metric of the suite: what it is called, what it counts,
//! and what it is told apart by. `docs/metrics.md` is written from this list.

mod catalogue;
#[cfg(test)]
mod documentation;
mod http_requests;

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram, Meter},
};

pub use catalogue::*;
pub use http_requests::HttpRequests;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// A value now.
    Gauge,
    /// How many values fell below each of these bounds.
    Histogram(&'static [f64]),
}

/// A metric's definition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its unit, in UCUM: `s`, `By`, `{row}`.
    pub unit: &'static str,
    /// What it counts.
    pub description: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is told apart by, with the values or their meaning.
    pub attributes: &'static [(&'static str, &'static str)],
    /// The services that have it.
    pub services: &'static str,
}

impl Metric {
    /// The metric as a counter.
    #[must_use]
    pub fn counter(&self) -> Counter<u64> {
        meter().u64_counter(self.name).with_unit(self.unit).with_description(self.description).build()
    }

    /// The metric as a gauge.
    #[must_use]
    pub fn gauge(&self) -> Gauge<f64> {
        meter().f64_gauge(self.name).with_unit(self.unit).with_description(self.description).build()
    }

    /// The metric as a histogram.
    #[must_use]
    pub fn histogram(&self) -> Histogram<f64> {
        let meter = meter();
        let histogram =
            meter.f64_histogram(self.name).with_unit(self.unit).with_description(self.description);
        match self.kind {
            Kind::Histogram(bounds) => histogram.with_boundaries(bounds.to_vec()).build(),
            Kind::Counter | Kind::Gauge => histogram.build(),
        }
    }
}

/// Connections of a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Those that somebody uses.
    pub used: u32,
    /// Those that wait for use.
    pub idle: u32,
    /// How many there may be.
    pub max: u32,
}

/// Tells the use of the process's pool whenever metrics are read.
pub fn watch_pool(pool: impl Fn() -> PoolUse + Clone + Send + Sync + 'static) {
    let meter = meter();
    let gauge = |metric: &Metric| {
        meter.u64_observable_gauge(metric.name).with_unit(metric.unit).with_description(metric.description)
    };
    let count = pool.clone();
    let _ = gauge(&POOL_CONNECTIONS)
        .with_callback(move |observer| {
            let PoolUse { used, idle, .. } = count();
            for (state, connections) in [("used", used), ("idle", idle)] {
                let state = KeyValue::new("state", state);
                observer.observe(connections.into(), &[state]);
            }
        })
        .build();
    let _ = gauge(&POOL_MAX).with_callback(move |observer| observer.observe(pool().max.into(), &[])).build();
}

fn meter() -> Meter {
    opentelemetry::global::meter("company-activity")
}
