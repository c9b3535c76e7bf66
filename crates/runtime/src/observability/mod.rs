//! Logs, traces and metrics of a process.
//!
//! Telemetry never hurts what it watches: queues are bounded, nothing waits for
//! a collector, what is dropped is counted, and the flush at the end is bounded.

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
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

pub use colours::has_colours;
pub(crate) use logs::LogFilter;
pub use logs::LogWriter;

use crate::arguments::TelemetryArgs;

/// How long spans and metrics that wait may take to be sent at the end, together.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// What speaks through the exporter itself: exporting it would cause more of it.
const OWN_TRANSPORT: [&str; 6] = ["h2", "hyper", "hyper_util", "opentelemetry", "tonic", "tower"];

/// The telemetry of the process. Call [`shutdown`](Self::shutdown) at its end:
/// what waits to be exported is lost otherwise.
#[derive(Debug)]
pub struct Telemetry {
    /// Changes what is logged while the process runs.
    pub log_filter: LogFilter,
    /// What `/metrics` answers from.
    pub(crate) registry: prometheus::Registry,
    tracers: SdkTracerProvider,
    meters: SdkMeterProvider,
}

impl Telemetry {
    /// Starts logs, traces and metrics of `service`. Call it once, at the start
    /// of the process, inside its tokio runtime.
    ///
    /// # Errors
    /// If the filter cannot be parsed, the collector's URL is none, or telemetry
    /// was started before.
    pub fn start(service: &'static str, args: &TelemetryArgs, writer: LogWriter) -> anyhow::Result<Self> {
        let resource = resource(service);
        let (meters, registry) = metrics::provider(&resource, args.otlp_endpoint.as_deref())?;
        opentelemetry::global::set_meter_provider(meters.clone());
        let tracers = traces::provider(&resource, args)?;
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
            .with_filter(exported());
        // A layer sees only the spans that its own filter lets through: without those around
        // a statement it could not tell where the statement belongs.
        let statements = sql_spans::SqlSpans::new(tracer)
            .with_filter(exported().with_target(sql_spans::TARGET, LevelFilter::DEBUG));
        let (logs, log_filter) = logs::layer(args, writer)?;
        tracing_subscriber::registry()
            .with(logs)
            .with(spans)
            .with(statements)
            .try_init()
            .context("telemetry was started twice")?;
        Ok(Self { log_filter, registry, tracers, meters })
    }

    /// Sends what waits, for a few seconds at most, and ends telemetry. Blocks:
    /// the exporters' connections are served by the tokio runtime meanwhile.
    pub fn shutdown(self) {
        // There is nobody left to tell: a collector that is away has been
        // counted, and logs have been written.
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

/// A name for this process that no other one has: the pod's, where there is one.
fn instance() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
    format!("{host}/{}", std::process::id())
}

/// The spans that are exported, with the events in them.
fn exported() -> Targets {
    OWN_TRANSPORT.iter().fold(
        Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("sqlx", LevelFilter::OFF)
            .with_target(LOG_ONLY, LevelFilter::OFF),
        |targets, target| targets.with_target(*target, LevelFilter::OFF),
    )
}
