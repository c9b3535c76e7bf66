//! The meter: read by Prometheus, and pushed to a collector if there is one.

use anyhow::Context as _;
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};

use super::collector::Collector;

/// The meter provider, and the registry that Prometheus reads.
pub(super) fn provider(
    resource: &Resource,
    collector: Option<&Collector>,
) -> anyhow::Result<(SdkMeterProvider, prometheus::Registry)> {
    let registry = prometheus::Registry::new();
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .context("the metrics registry")?;
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(scraped);
    if let Some(collector) = collector {
        let exporter = collector
            .receive_from(MetricExporter::builder().with_tonic())
            .build()
            .context("--otlp-endpoint cannot be used")?;
        provider = provider.with_reader(PeriodicReader::builder(exporter).build());
    }
    Ok((provider.build(), registry))
}
