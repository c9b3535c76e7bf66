//! Metrics of the test process.

use anyhow::Context as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::Registry;

/// Records all metrics of this process from now on, for all its tests together.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Replaces the previous meter provider. Existing instruments stay with the old one.
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

    /// A counter's value, or the number of values in a histogram, for exactly
    /// these labels; 0 if there is no such series.
    #[must_use]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.registry.gather();
        let series = families
            .iter()
            .filter(|family| family.name() == name)
            .flat_map(prometheus::proto::MetricFamily::get_metric);
        series
            .filter(|series| {
                let its = series.get_label();
                its.len() == labels.len()
                    && its.iter().all(|label| labels.contains(&(label.name(), label.value())))
            })
            .map(|series| whole(series.get_counter().get_value()) + series.get_histogram().get_sample_count())
            .sum()
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tests count little")]
fn whole(count: f64) -> u64 {
    count as u64
}
