//! One run for people: its stages on a time line, what they did, and what went wrong.

use std::time::Duration;

use chrono::{DateTime, Utc};
use proto::pipeline::v1::{Run, RunStage};
use telemetry::trace_context::SpanIdentity;

use crate::{
    error::Error,
    format::{
        table,
        value::{elapsed, human_duration, to_the_second},
    },
    output::{Output, printable},
};

/// A coordinator looks for runs every second: less than two seconds is no queue.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// Prints a run as it is `now`.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print(run: &Run, now: DateTime<Utc>, output: &mut Output) -> Result<(), Error> {
    output.table(table::runs([run]))?;
    if let Some(chart) = table::gantt(run, now, output.width()) {
        output.line("")?;
        output.table(chart)?;
    }
    if let Some(queued) = queued_for(run) {
        output.line(format_args!("\nwaited {} in the queue", human_duration(queued)))?;
    }
    if !run.accept_empty_days.is_empty() {
        let days = printable(&run.accept_empty_days.join(", "));
        output.line(format_args!("\naccepts what the source answers for {days}, however little it is"))?;
    }
    if !run.rebuild_days.is_empty() {
        let days = printable(&run.rebuild_days.join(", "));
        output.line(format_args!("\nbuilds every company of {days} again"))?;
    }
    output.line("")?;
    output.table(table::stages(run))?;
    for stage in run.stages.iter().filter(|stage| stage.waiting_for_service_since.is_some()) {
        let since = to_the_second(stage.waiting_for_service_since.as_ref());
        let (name, service) = (printable(&stage.stage), printable(&stage.service));
        output.line(format_args!("\n{name}: waiting for {service} since {since}"))?;
    }
    for stage in &run.stages {
        let name = printable(&stage.stage);
        for ended in &stage.earlier_attempts {
            let what = if ended.is_interruption { " (cut off)" } else { "" };
            output.line(format_args!(
                "\n{name}, attempt {}{what}: {} ({}) {}",
                ended.attempt,
                printable(&ended.error_message),
                ended.error_code,
                to_the_second(ended.end_time.as_ref())
            ))?;
        }
        if let Some(due) = &stage.next_attempt_time {
            output.line(format_args!("\n{name}: the next attempt is due at {}", to_the_second(Some(due))))?;
        }
        if has_error_of_its_own(stage) {
            let since = to_the_second(stage.end_time.as_ref());
            let message = printable(&stage.error_message);
            output.line(format_args!(
                "\n{name}, attempt {}: {message} ({}) {since}",
                stage.attempt, stage.error_code
            ))?;
        }
        for remark in &stage.remarks {
            output.line(format_args!("\n{name}: {}", printable(remark)))?;
        }
    }
    if let Some(trace) = trace(run) {
        output.line(format_args!("\ntrace: {}", printable(&trace)))?;
    }
    Ok(())
}

/// Whether the stage has an error that no attempt on record names: a coordinator of an earlier
/// release recorded none.
fn has_error_of_its_own(stage: &RunStage) -> bool {
    !stage.error_message.is_empty() && stage.earlier_attempts.is_empty()
}

/// How long other runs kept this one waiting, if that is worth mentioning.
fn queued_for(run: &Run) -> Option<Duration> {
    let queued = elapsed(run.create_time.as_ref(), run.start_time.as_ref())?;
    (queued >= WORTH_A_WORD).then_some(queued)
}

/// The link to the run's trace, else the trace's identifier.
fn trace(run: &Run) -> Option<String> {
    if !run.trace_url.is_empty() {
        return Some(run.trace_url.clone());
    }
    SpanIdentity::parse(&run.traceparent).map(|identity| identity.trace_id())
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;
    use proto::pipeline::v1::{RunState, StageAttempt, StageState};

    use super::*;
    use crate::output::Captured;

    const TRACEPARENT: &str = "00-b9ab6d07e17d287155b2858319f49261-9a2e643e421aa1b1-01";

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn shown(run: &Run) -> String {
        let captured = Captured::default();
        print(run, DateTime::from_timestamp(1_000, 0).unwrap(), &mut captured.output()).unwrap();
        captured.text()
    }

    #[test]
    fn a_run_is_drawn_with_its_wait_its_error_and_its_trace() {
        let stage = RunStage {
            stage: "act_copy_crm_csv".into(),
            state: StageState::Failed.into(),
            attempt: 3,
            start_time: at(200),
            end_time: at(260),
            error_code: "DATA_LOSS".into(),
            error_message: "no header in line 1".into(),
            ..RunStage::default()
        };
        let run = Run {
            state: RunState::Failed.into(),
            create_time: at(0),
            start_time: at(140),
            end_time: at(260),
            stages: vec![stage],
            traceparent: TRACEPARENT.into(),
            trace_url: "http://jaeger/trace/b9ab6d07e17d287155b2858319f49261".into(),
            ..Run::default()
        };
        let text = shown(&run);
        assert!(text.contains("··██"), "{text}");
        assert!(text.contains("waited 2 min 20 s in the queue"), "{text}");
        assert!(text.contains("attempt 3: no header in line 1 (DATA_LOSS)"), "{text}");
        assert_eq!(text.lines().last(), Some(format!("trace: {}", run.trace_url).as_str()));
    }

    #[test]
    fn earlier_attempts_are_told_of_and_no_error_twice() {
        let ended = |attempt, is_interruption| StageAttempt {
            attempt,
            end_time: at(100),
            error_code: "UNAVAILABLE".into(),
            error_message: "the source is away".into(),
            is_interruption,
            ..StageAttempt::default()
        };
        let stage = RunStage {
            stage: "act_copy_crm_csv".into(),
            state: StageState::Running.into(),
            attempt: 3,
            error_code: "UNAVAILABLE".into(),
            error_message: "the source is away".into(),
            earlier_attempts: vec![ended(1, false), ended(2, true)],
            ..RunStage::default()
        };
        let run = |stage| Run { stages: vec![stage], ..Run::default() };
        let text = shown(&run(stage.clone()));
        assert!(text.contains("act_copy_crm_csv, attempt 1: the source is away (UNAVAILABLE)"), "{text}");
        assert!(text.contains("attempt 2 (cut off): the source is away"), "{text}");
        assert!(!text.contains("attempt 3:"), "{text}");
        let earlier_attempts = vec![ended(1, false), ended(2, true), ended(3, false)];
        let waits = RunStage {
            state: StageState::Pending.into(),
            next_attempt_time: at(3_600),
            earlier_attempts,
            ..stage
        };
        let text = shown(&run(waits));
        assert_eq!(text.matches("attempt 3: the source is away").count(), 1, "{text}");
        assert!(text.contains("the next attempt is due at 1970-01-01T01:00:00Z"), "{text}");
    }

    #[test]
    fn a_trace_without_a_link_is_named_by_its_identifier() {
        let run = Run { traceparent: TRACEPARENT.into(), ..Run::default() };
        assert_eq!(shown(&run).lines().last(), Some("trace: b9ab6d07e17d287155b2858319f49261"));
        assert!(!shown(&Run::default()).contains("trace"));
    }
}
