//! The trace of a run, which outlives the coordinators that execute it.
//!
//! The run's first span is stored with the run, and every attempt's span
//! derives from it: so a coordinator that takes over continues the same trace,
//! records the interrupted attempt, and links its own to it.

use chrono::{DateTime, Utc};
use domain::{Counters, RunState, trend::SlowExecution};
use opentelemetry::KeyValue;
use telemetry::{
    spans::counted,
    stage_spans::StageAttempt,
    trace_context::{PastSpan, SpanIdentity},
};
use uuid::Uuid;
use warehouse::{Run, RunStage};

/// The traceparent of a new run.
pub(crate) fn traceparent_of(run_id: Uuid) -> String {
    first_span(run_id).to_string()
}

/// The traceparent for the next execution of a run that has ended: the same
/// trace, with a new span below the first.
pub(crate) fn traceparent_of_retry(run: &Run) -> Option<String> {
    let ended = SpanIdentity::parse(run.traceparent.as_deref()?)?;
    Some(ended.sibling(&format!("retry after epoch {}", run.lease_epoch)).to_string())
}

/// The first span of a run. Only its trace id differs from call to call.
fn first_span(run_id: Uuid) -> SpanIdentity {
    SpanIdentity::new_trace_of(&run_id.to_string())
}

/// Records the trace of a run, from the store alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTrace<'a> {
    run: &'a Run,
    span: SpanIdentity,
}

/// An attempt that has ended.
#[derive(Debug)]
pub(crate) struct EndedAttempt<'a> {
    pub(crate) stage: &'a str,
    pub(crate) attempt: u32,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) ended_at: DateTime<Utc>,
    /// What it committed, or the status code's name and the message.
    pub(crate) outcome: Result<Counters, (&'a str, &'a str)>,
    /// Set if it took much longer than usual.
    pub(crate) slow: Option<SlowExecution>,
}

impl<'a> RunTrace<'a> {
    /// The trace that the run's traceparent names; `None` without one.
    pub(crate) fn of(run: &'a Run) -> Option<Self> {
        let span = SpanIdentity::parse(run.traceparent.as_deref()?)?;
        Some(Self { run, span })
    }

    /// The span of an attempt.
    pub(crate) fn attempt(&self, stage: &str, attempt: u32) -> SpanIdentity {
        self.span.sibling(&format!("{}/{stage}/{attempt}", self.run.run_id))
    }

    /// Runs `work` as a direct child of the run.
    pub(crate) fn below<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.span.around(work)
    }

    /// Records an attempt, linked to the one before it.
    pub(crate) fn record_attempt(&self, ended: &EndedAttempt<'_>) {
        let EndedAttempt { stage, attempt, started_at, ended_at, outcome, slow } = ended;
        let described = StageAttempt {
            pipeline: &self.run.pipeline,
            stage,
            run_id: self.run.run_id,
            window: self.run.window,
            attempt: *attempt,
        };
        let mut attributes = described.attributes();
        match outcome {
            Ok(counters) => attributes.extend(
                counted(counters)
                    .map(|(name, count)| KeyValue::new(name, i64::try_from(count).unwrap_or(i64::MAX))),
            ),
            Err((code, _)) => attributes.push(KeyValue::new("error.type", (*code).to_owned())),
        }
        attributes.extend(slow.map(|slow| KeyValue::new("pipeline.slow_factor", slow.factor)));
        let before = (*attempt > 1).then(|| self.attempt(stage, attempt - 1));
        PastSpan {
            identity: self.attempt(stage, *attempt),
            parent: Some(self.span),
            name: (*stage).to_owned(),
            started_at: (*started_at).into(),
            ended_at: (*ended_at).into(),
            attributes,
            error: outcome.as_ref().err().map(|(_, message)| (*message).to_owned()),
            links: before.into_iter().collect(),
        }
        .record();
    }

    /// Records the attempt of a stage whose coordinator disappeared.
    pub(crate) fn record_interrupted(&self, stage: &RunStage, now: DateTime<Utc>) {
        self.record_attempt(&EndedAttempt {
            stage: &stage.stage,
            attempt: stage.attempt,
            started_at: stage.started_at.unwrap_or(now),
            ended_at: now,
            outcome: Err(("CANCELLED", "interrupted: the coordinator that executed the run went away")),
            slow: None,
        });
    }

    /// Records a run that has ended.
    pub(crate) fn record_run(&self) {
        let Run { run_id, pipeline, window, trigger, state, created_at, started_at, ended_at, .. } = self.run;
        let first = self.span.with_span_of(&first_span(*run_id));
        let ended_at = ended_at.unwrap_or(*created_at);
        let failed = self.run.stages.iter().find_map(|stage| {
            let message = stage.error_message.as_ref().filter(|_| *state == RunState::Failed)?;
            Some(format!("{}: {message}", stage.stage))
        });
        let error = (*state != RunState::Succeeded).then(|| failed.unwrap_or_else(|| state.to_string()));
        PastSpan {
            identity: self.span,
            parent: (self.span != first).then_some(first),
            name: pipeline.clone(),
            started_at: started_at.unwrap_or(*created_at).into(),
            ended_at: ended_at.into(),
            attributes: vec![
                KeyValue::new("pipeline.name", pipeline.clone()),
                KeyValue::new("pipeline.run_id", run_id.to_string()),
                KeyValue::new("pipeline.business_date", window.end().to_string()),
                KeyValue::new("pipeline.window", window.to_string()),
                KeyValue::new("pipeline.trigger", trigger.to_string()),
                KeyValue::new("pipeline.state", state.to_string()),
                KeyValue::new("pipeline.lease_epoch", self.run.lease_epoch),
            ],
            error,
            links: Vec::new(),
        }
        .record();
    }
}
