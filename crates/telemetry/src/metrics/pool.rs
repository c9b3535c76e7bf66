//! Metrics of a process's connection pool.

use opentelemetry::KeyValue;

use super::{
    catalogue::{POOL_CONNECTIONS, POOL_MAX},
    metric::{Metric, meter},
};

/// How many of a pool's connections are in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections in use.
    pub used: u32,
    /// Connections that are idle.
    pub idle: u32,
    /// The most connections allowed.
    pub max: u32,
}

/// Reports the pool's use whenever metrics are read.
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
