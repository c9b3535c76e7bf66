//! The tracer: sampling, identities, export.

use anyhow::Context as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider},
};
use telemetry::trace_context::ChosenIds;

use super::{
    collector::Collector,
    export_gate::{CountedExporter, ExportGate, MAX_QUEUED_SPANS},
    sampler::PipelineAlways,
};
use crate::arguments::TelemetryArgs;

/// The tracer provider. Without a collector, spans still have identities, which logs
/// include, but are not exported.
pub(super) fn provider(
    resource: &Resource,
    args: &TelemetryArgs,
    collector: Option<&Collector>,
) -> anyhow::Result<SdkTracerProvider> {
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_id_generator(ChosenIds::default())
        .with_sampler(PipelineAlways::with_query_ratio(args.trace_query_ratio));
    let Some(collector) = collector else { return Ok(provider.build()) };
    let exporter = collector
        .receive_from(SpanExporter::builder().with_tonic())
        .build()
        .context("--otlp-endpoint cannot be used")?;
    let (gate, counts) = ExportGate::new();
    // One more than the gate admits, so that this queue never drops anything.
    let config = BatchConfigBuilder::default().with_max_queue_size(MAX_QUEUED_SPANS + 1).build();
    let batches =
        BatchSpanProcessor::builder(CountedExporter::new(exporter, counts)).with_batch_config(config).build();
    Ok(provider.with_span_processor(gate.before(batches)).build())
}
