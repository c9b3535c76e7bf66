//! What a process counted.

use anyhow::Context as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;

/// Keeps what this process counts from now on, for all its tests together.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Takes the place of what counted before. Instruments that exist already do
    /// not follow.
    ///
    /// # Errors
    /// If the exporter cannot be set up.
    pub fn install() -> anyhow::Result<Self> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()
            .context("the metrics registry")?;
        opentelemetry::global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
        Ok(Self { registry })
    }

    /// A counter's value, or how many values a histogram holds, for exactly these
    /// labels; 0 if there is no such series.
    #[must_use]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.registry.gather();
        let series =
            families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
        series
            .filter(|series| {
                let its = series.get_label();
                its.len() == labels.len()
                    && its.iter().all(|label| labels.contains(&(label.name(), label.value())))
            })
            // Counters of a test are small whole numbers.
            .map(|series| series.get_counter().get_value() as u64 + series.get_histogram().get_sample_count())
            .sum()
    }
}
