//! Limits what waits for the collector, and counts what happens to every span.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use opentelemetry::{Context, KeyValue, metrics::Counter};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use telemetry::metrics::TELEMETRY_SPANS;

/// Spans that may wait to be sent, about ten megabytes; more are dropped.
pub(super) const MAX_QUEUED_SPANS: usize = 8192;

/// Lets spans through to the exporter's queue while there is room.
#[derive(Debug)]
pub(super) struct ExportGate {
    counts: Arc<Counts>,
}

/// Counts spans by outcome.
#[derive(Debug)]
pub(super) struct Counts {
    queued: AtomicUsize,
    spans: Counter<u64>,
}

impl Counts {
    fn add(&self, spans: usize, outcome: &'static str) {
        self.spans.add(spans as u64, &[KeyValue::new("outcome", outcome)]);
    }
}

impl ExportGate {
    pub(super) fn new() -> (Self, Arc<Counts>) {
        let counts = Arc::new(Counts { queued: AtomicUsize::new(0), spans: TELEMETRY_SPANS.counter() });
        // Growth is only visible in a counter that already exists.
        for outcome in ["exported", "failed", "dropped"] {
            counts.add(0, outcome);
        }
        (Self { counts: Arc::clone(&counts) }, counts)
    }

    /// The processor that passes what the gate admits on to `batches`.
    pub(super) const fn before(self, batches: BatchSpanProcessor) -> GatedProcessor {
        GatedProcessor { gate: self, batches }
    }

    /// Takes room for one more span, if there is any.
    fn admit(&self) -> bool {
        let room = |queued: usize| (queued < MAX_QUEUED_SPANS).then_some(queued + 1);
        self.counts.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }
}

/// Queues spans that the gate admits.
#[derive(Debug)]
pub(super) struct GatedProcessor {
    gate: ExportGate,
    batches: BatchSpanProcessor,
}

impl SpanProcessor for GatedProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if !span.span_context.is_sampled() {
            return;
        }
        if self.gate.admit() {
            self.batches.on_end(span);
        } else {
            self.gate.counts.add(1, "dropped");
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// An exporter that counts what it sent and what it failed to send.
#[derive(Debug)]
pub(super) struct CountedExporter<E> {
    exporter: E,
    counts: Arc<Counts>,
}

impl<E> CountedExporter<E> {
    pub(super) const fn new(exporter: E, counts: Arc<Counts>) -> Self {
        Self { exporter, counts }
    }
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        self.counts.queued.fetch_sub(spans, Ordering::Relaxed);
        self.counts.add(spans, if outcome.is_ok() { "exported" } else { "failed" });
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider};

    use super::*;

    #[test]
    fn a_full_queue_takes_no_more_until_something_is_sent() {
        let (gate, counts) = ExportGate::new();
        assert!((0..MAX_QUEUED_SPANS).all(|_| gate.admit()));
        assert!(!gate.admit());
        counts.queued.fetch_sub(1, Ordering::Relaxed);
        assert!(gate.admit());
        assert!(!gate.admit());
    }

    /// Accepts a batch and never responds.
    #[derive(Debug)]
    struct Silent;

    impl SpanExporter for Silent {
        async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
            std::future::pending().await
        }
    }

    /// The counter's value for an outcome.
    fn reported(registry: &prometheus::Registry, outcome: &str) -> f64 {
        let families = registry.gather();
        let spans = families.iter().find(|family| family.name() == "company_activity_telemetry_spans_total");
        let metrics = spans.map(prometheus::proto::MetricFamily::get_metric).unwrap_or_default();
        let is_it = |metric: &&prometheus::proto::Metric| {
            metric.get_label().iter().any(|label| label.value() == outcome)
        };
        metrics.iter().find(is_it).map_or(0.0, |metric| metric.get_counter().get_value())
    }

    #[test]
    fn a_collector_that_never_answers_costs_spans_and_neither_time_nor_memory() {
        let (meters, registry) = super::super::metrics::provider(&Resource::builder().build(), None).unwrap();
        opentelemetry::global::set_meter_provider(meters);
        let (gate, counts) = ExportGate::new();
        let config = BatchConfigBuilder::default().with_max_queue_size(MAX_QUEUED_SPANS + 1).build();
        let batches = BatchSpanProcessor::builder(CountedExporter::new(Silent, Arc::clone(&counts)))
            .with_batch_config(config)
            .build();
        let tracers = SdkTracerProvider::builder().with_span_processor(gate.before(batches)).build();
        let tracer = tracers.tracer("test");

        let surplus = 500;
        for _ in 0..MAX_QUEUED_SPANS + surplus {
            drop(tracer.start("span"));
        }
        assert_eq!(counts.queued.load(Ordering::Relaxed), MAX_QUEUED_SPANS);
        assert_eq!(reported(&registry, "dropped"), f64::from(u32::try_from(surplus).unwrap()));

        let bound = Duration::from_millis(100);
        let began = Instant::now();
        assert!(tracers.shutdown_with_timeout(bound).is_err(), "the collector has answered");
        assert!(began.elapsed() < bound + Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
