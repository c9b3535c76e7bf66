//! Which traces are recorded.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// The gRPC services that answer queries rather than move the pipeline.
const QUERY_SERVICES: [&str; 1] = ["company_activity.activity.v1.CompanyActivityService/"];

/// What pages' spans are called: those that change nothing.
const PAGES: &str = "GET ";

/// Records every trace of the pipeline, and a share of those that begin with a query. A
/// participant in a trace follows whatever its origin decided.
#[derive(Debug, Clone)]
pub(super) struct PipelineAlways {
    queries: Sampler,
}

impl PipelineAlways {
    /// Records the share `ratio`, from 0 to 1, of queries.
    pub(super) const fn with_query_ratio(ratio: f64) -> Self {
        Self { queries: Sampler::TraceIdRatioBased(ratio) }
    }
}

impl ShouldSample for PipelineAlways {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if let Some(context) = parent.filter(|context| context.has_active_span()) {
            let span = context.span();
            let began = span.span_context();
            return decided(began.is_sampled(), began.trace_state().clone());
        }
        let is_query = QUERY_SERVICES.iter().any(|service| name.starts_with(service));
        if is_query || name.starts_with(PAGES) {
            return self.queries.should_sample(parent, trace_id, name, kind, attributes, links);
        }
        decided(true, TraceState::default())
    }
}

fn decided(is_sampled: bool, trace_state: TraceState) -> SamplingResult {
    let decision = if is_sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop };
    SamplingResult { decision, attributes: Vec::new(), trace_state }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn is_sampled(sampler: &PipelineAlways, parent: Option<&Context>, name: &str) -> bool {
        let trace_id = TraceId::from_bytes([7; 16]);
        sampler.should_sample(parent, trace_id, name, &SpanKind::Server, &[], &[]).decision
            == SamplingDecision::RecordAndSample
    }

    #[test]
    fn the_pipeline_is_always_recorded_and_queries_by_their_share() {
        let query = "company_activity.activity.v1.CompanyActivityService/GetActivity";
        for (ratio, expected) in [(0.0, false), (1.0, true)] {
            let sampler = PipelineAlways::with_query_ratio(ratio);
            assert_eq!(is_sampled(&sampler, None, query), expected);
            assert!(is_sampled(&sampler, None, "pl_company_activity_daily"));
            assert!(is_sampled(&sampler, None, "company_activity.pipeline.v1.PipelineService/TriggerRun"));
        }
    }

    #[test]
    fn whoever_began_a_trace_decides() {
        let sampler = PipelineAlways::with_query_ratio(1.0);
        for (flags, expected) in [(TraceFlags::SAMPLED, true), (TraceFlags::default(), false)] {
            let began = SpanContext::new(
                TraceId::from_bytes([7; 16]),
                SpanId::from_bytes([7; 8]),
                flags,
                true,
                TraceState::default(),
            );
            let parent = Context::new().with_remote_span_context(began);
            assert_eq!(is_sampled(&sampler, Some(&parent), "act_copy_crm_csv"), expected);
        }
    }
}
