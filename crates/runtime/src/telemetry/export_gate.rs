//! Bounds what waits for the collector, and counts what becomes of every span.

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


/// Spans that may wait to be sent, some ten megabytes; more are dropped.
pub(super) const MAX_QUEUED_SPANS: usize = 8192;

/// Lets spans through to the exporter's queue while there is room.
#[derive(Debug)]
pub(super) struct ExportGate {
    counts: Arc<Counts>,
}

/// What has become of spans.
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
        let counts =
            Arc::new(Counts { queued: AtomicUsize::new(0), spans: metrics::TELEMETRY_SPANS.counter() });
        (Self { counts: Arc::clone(&counts) }, counts)
    }

    /// The processor that passes on to `batches` what the gate lets through.
    pub(super) const fn before(self, batches: BatchSpanProcessor) -> GatedProcessor {
        GatedProcessor { gate: self, batches }
    }

    /// Whether there is room for one more, which is then taken.
    fn admit(&self) -> bool {
        let room = |queued: usize| (queued < MAX_QUEUED_SPANS).then_some(queued + 1);
        self.counts.queued.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
    }
}

/// Queues spans behind the gate.
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

/// An exporter that counts what it sent and what it could not send.
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
}
