//! Logs, traces and metrics of a process.
//!
//! Telemetry never harms what it watches: queues are bounded, nothing waits for a
//! collector, drops are counted, and the flush at the end is bounded.

mod collector;
mod colours;
mod export_gate;
mod logs;
mod metrics;
mod sampler;
mod sql_spans;
mod traces;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_sdk::{Resource, metrics::SdkMeterProvider, trace::SdkTracerProvider};
use opentelemetry_semantic_conventions::attribute::{
    SERVICE_INSTANCE_ID, SERVICE_NAMESPACE, SERVICE_VERSION,
};
use telemetry::spans::{LOG_ONLY, SCOPE};
use tls::RELOAD_INTERVAL;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

pub use colours::has_colours;
pub(crate) use logs::LogFilter;
pub use logs::LogWriter;

use self::collector::Collector;
use crate::arguments::TelemetryArgs;

/// How long the final flush of spans and metrics may take in total.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// Targets of the exporter's own transport: exporting their events would cause more of
/// them.
const OWN_TRANSPORT: [&str; 6] = ["h2", "hyper", "hyper_util", "opentelemetry", "tonic", "tower"];

/// The telemetry of the process. Call [`shutdown`](Self::shutdown) at its end:
/// otherwise pending exports are lost.
#[derive(Debug)]
pub struct Telemetry {
    /// Changes what is logged while the process runs.
    pub log_filter: LogFilter,
    /// The source of `/metrics`.
    pub(crate) registry: prometheus::Registry,
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
    /// Follows the CAs of the collector's certificate until it is dropped.
    _following: DropGuard,
}

impl Telemetry {
    /// Starts logs, traces and metrics of `service`. Call it once, at the start of the
    /// process, inside its tokio runtime.
    ///
    /// # Errors
    /// If the filter cannot be parsed, the collector's URL or CAs are unusable, or telemetry was
    /// started before.
    pub fn start(service: &'static str, args: &TelemetryArgs, writer: LogWriter) -> anyhow::Result<Self> {
        let resource = resource(service);
        let collector = Collector::of(args)?;
        let (meters, registry) = metrics::provider(&resource, collector.as_ref())?;
        opentelemetry::global::set_meter_provider(meters.clone());
        let tracers = traces::provider(&resource, args, collector.as_ref())?;
        opentelemetry::global::set_tracer_provider(tracers.clone());
        opentelemetry::global::set_text_map_propagator(
            opentelemetry_sdk::propagation::TraceContextPropagator::new(),
        );
        let tracer = tracers.tracer(SCOPE);
        let spans = tracing_opentelemetry::layer()
            .with_tracer(tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Nothing asks OpenTelemetry which span is current: spans are tracing's.
            .with_context_activation(false)
            .with_filter(exported());
        let statements = sql_spans::layer(tracer, exported());
        let (logs, log_filter) = logs::layer(args, writer)?;
        tracing_subscriber::registry()
            .with(logs)
            .with(spans)
            .with(statements)
            .try_init()
            .context("telemetry was started twice")?;
        let following = CancellationToken::new();
        if let Some(tls) = collector.and_then(Collector::into_tls) {
            tokio::spawn(tls.watch(RELOAD_INTERVAL, following.clone()));
        }
        Ok(Self { log_filter, registry, tracers, meters, _following: following.drop_guard() })
    }

    /// Sends what is pending, for a few seconds at most, and ends telemetry. Blocks:
    /// the tokio runtime serves the exporters' connections meanwhile.
    pub fn shutdown(self) {
        // There is no one left to report to: an unreachable collector has been counted,
        // and logs have been written.
        let began = Instant::now();
        let _ = self.tracers.shutdown_with_timeout(FLUSH_TIME);
        let _ = self.meters.shutdown_with_timeout(FLUSH_TIME.saturating_sub(began.elapsed()));
    }
}

fn resource(service: &'static str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new(SERVICE_NAMESPACE, "company-activity"),
            KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
            KeyValue::new(SERVICE_INSTANCE_ID, instance()),
        ])
        .build()
}

/// A name for this process that no other has: the pod's, if there is one.
fn instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
    format!("{host}/{}", std::process::id())
}

/// The spans to export, with the events in them.
fn exported() -> Targets {
    OWN_TRANSPORT.iter().fold(
        Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("sqlx", LevelFilter::OFF)
            .with_target(LOG_ONLY, LevelFilter::OFF),
        |targets, target| targets.with_target(*target, LevelFilter::OFF),
    )
}
