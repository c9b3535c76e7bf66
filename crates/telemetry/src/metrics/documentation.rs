//! Writes `docs/metrics.md` from the catalogue.

use std::{fmt::Write, fs, path::Path};

use super::{CATALOGUE, Kind, Metric};

const HEAD: &str = "\
# Metrics

Every service serves these at `/metrics` on its admin port (`--admin-listen`) for
Prometheus, and pushes them to the collector that `--otlp-endpoint` names.

This page is written from the code: after a change of the catalogue run
`UPDATE_DOCS=1 cargo test -p telemetry`.

| Prometheus name | what it says | labels | services |
|---|---|---|---|
";

/// A metric's name in Prometheus, as the exporter derives it.
fn prometheus_name(metric: &Metric) -> String {
    let name = metric.name.replace('.', "_");
    let unit = match metric.unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    let unit = if name.ends_with(unit) { "" } else { unit };
    let suffix = if metric.kind == Kind::Counter { "_total" } else { "" };
    format!("{name}{unit}{suffix}")
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for metric in CATALOGUE {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<String> = metric
            .attributes
            .iter()
            .map(|(name, values)| format!("`{}`: {values}", name.replace('.', "_")))
            .collect();
        writeln!(
            page,
            "| `{}` ({kind}) | {} | {} | {} |",
            prometheus_name(metric),
            metric.description,
            labels.join("<br>"),
            metric.services
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap_or_default(),
        page(),
        "run UPDATE_DOCS=1 cargo test -p telemetry"
    );
}

#[test]
fn prometheus_knows_each_metric_by_the_documented_name() {
    let registry = prometheus::Registry::new();
    let exporter = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .unwrap();
    let provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_reader(exporter).build();
    opentelemetry::global::set_meter_provider(provider);
    for metric in CATALOGUE {
        match metric.kind {
            Kind::Counter => metric.counter().add(1, &[]),
            Kind::Gauge => metric.gauge().record(1.0, &[]),
            Kind::Histogram(_) => metric.histogram().record(1.0, &[]),
        }
    }
    let mut documented: Vec<String> = CATALOGUE.iter().map(prometheus_name).collect();
    let mut served: Vec<String> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
    documented.sort();
    served.sort();
    assert_eq!(served, documented);
}
