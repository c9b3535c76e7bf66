//! The meter: read by Prometheus, and pushed to a collector if there is one.

use anyhow::Context as _;
use opentelemetry_otlp::{MetricExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};

/// The meter provider, and the registry that Prometheus reads.
pub(super) fn provider(
    resource: &Resource,
    otlp_endpoint: Option<&str>,
) -> anyhow::Result<(SdkMeterProvider, prometheus::Registry)> {
    let registry = prometheus::Registry::new();
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .context("the metrics registry")?;
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(scraped);
    if let Some(endpoint) = otlp_endpoint {
        let exporter = MetricExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .context("--otlp-endpoint cannot be used")?;
        provider = provider.with_reader(PeriodicReader::builder(exporter).build());
    }
    Ok((provider.build(), registry))
}
