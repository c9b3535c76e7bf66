//! `activityctl runs` and `activityctl runs show`

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use contract::message::window_to_proto;
use proto::pipeline::v1::{GetRunRequest, ListRunsRequest, Run, RunStage, RunState, RunTrigger};
use runtime::{Clock, SystemClock};
use telemetry::trace_context::SpanIdentity;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::DayRangeArgs,
    error::Error,
    format::{
        Format, json, table,
        value::{elapsed, human_duration, to_the_second},
    },
    output::{Output, printable},
};

/// The most runs per page that the server allows.
const MAX_PAGE: i32 = 200;

/// A coordinator looks for runs every second: less than two seconds is no queue.
const WORTH_A_WORD: Duration = Duration::from_secs(2);

const EXAMPLES: &str = "\
--format json prints one JSON object a line (NDJSON), with the run's stages inside.

Examples:
  activityctl runs
  activityctl runs --state failed --limit 5
  activityctl runs --trigger backfill --from 2026-02-01 --to 2026-02-28
  activityctl runs show 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11
  activityctl runs --format json | jq -r 'select(.state == \"FAILED\") | .run_id'";

/// List runs, the newest first, or show one with its stages
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: Option<RunsCommand>,

    /// Only runs in this state; may be repeated
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<StateFilter>,

    /// Only runs with this cause; may be repeated
    #[arg(long, value_enum, value_name = "TRIGGER")]
    trigger: Vec<TriggerFilter>,

    /// Only runs over at least one of these days
    #[command(flatten)]
    days: DayRangeArgs,

    /// At most this many runs
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    Show(ShowArgs),
}

const SHOW_EXAMPLES: &str = "\
Draws the stages on a time line as wide as the terminal: a bar from the start to the end of
the newest attempt, before it dots for the time since everything it waits for was done. That
holds earlier attempts and the pauses between them, and the time without a coordinator.
What the stages did to rows follows, then errors, remarks, and where to open the trace: its
link if the coordinator knows one (--trace-url), else its identifier.

Exit codes: 0 the run is shown, whatever became of it, 1 the command failed, 2 wrong usage.

Examples:
  activityctl runs show 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11
  activityctl runs show 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11 --format json | jq -r .trace_url";

/// Show one run: its stages on a time line, rows, errors, remarks, and where its trace is
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct ShowArgs {
    /// The run's id, as printed by `trigger` and `runs`
    #[arg(value_name = "RUN")]
    run_id: String,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateFilter {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TriggerFilter {
    Manual,
    Scheduled,
    Backfill,
    Unpublish,
}

impl From<TriggerFilter> for RunTrigger {
    fn from(filter: TriggerFilter) -> Self {
        match filter {
            TriggerFilter::Manual => Self::Manual,
            TriggerFilter::Scheduled => Self::Scheduled,
            TriggerFilter::Backfill => Self::Backfill,
            TriggerFilter::Unpublish => Self::Unpublish,
        }
    }
}

impl From<StateFilter> for RunState {
    fn from(filter: StateFilter) -> Self {
        match filter {
            StateFilter::Queued => Self::Queued,
            StateFilter::Running => Self::Running,
            StateFilter::Succeeded => Self::Succeeded,
            StateFilter::Failed => Self::Failed,
            StateFilter::Cancelled => Self::Cancelled,
        }
    }
}

/// Lists runs or shows one.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &RunsArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    match &args.command {
        Some(RunsCommand::Show(show)) => {
            let run = run(&connection, &show.run_id).await?;
            match show.format {
                Format::Json => json::write_line(output.writer(), &json::RunJson::from(&run))?,
                Format::Table => print(&run, SystemClock.now(), output)?,
            }
        }
        None => {
            let runs = runs(&connection, args).await?;
            match args.format {
                Format::Table => output.table(table::runs(&runs))?,
                Format::Json => {
                    for run in &runs {
                        json::write_line(output.writer(), &json::RunJson::from(run))?;
                    }
                }
            }
        }
    }
    output.flush()
}

async fn run(connection: &Connection, run_id: &str) -> Result<Run, Error> {
    let request = GetRunRequest { run_id: run_id.to_owned() };
    let response = connection.pipeline().get_run(request).await;
    let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
    run.ok_or(Error::Contract("has no run"))
}

async fn runs(connection: &Connection, args: &RunsArgs) -> Result<Vec<Run>, Error> {
    let wanted = ListRunsRequest {
        states: args.state.iter().map(|state| RunState::from(*state).into()).collect(),
        triggers: args.trigger.iter().map(|trigger| RunTrigger::from(*trigger).into()).collect(),
        days: args.days.window()?.map(window_to_proto),
        ..ListRunsRequest::default()
    };
    newest(connection, wanted, usize::try_from(args.limit).unwrap_or(usize::MAX), |_| true).await
}

/// The newest runs that a request filters, at most `limit`, up to the first that is not `wanted`.
pub(super) async fn newest(
    connection: &Connection,
    request: ListRunsRequest,
    limit: usize,
    wanted: impl Fn(&Run) -> bool,
) -> Result<Vec<Run>, Error> {
    let page_size = i32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let mut runs = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListRunsRequest { page_size, page_token, ..request.clone() };
        let page = connection.pipeline().list_runs(request.clone()).await;
        let page = page.map_err(|status| connection.failure(status))?.into_inner();
        if page.runs.iter().any(|run| contradicts(&request, run)) {
            let server = connection.server().to_owned();
            return Err(Error::OlderCoordinator { server, call: "filter of runs by trigger and days" });
        }
        for run in page.runs {
            if runs.len() == limit || !wanted(&run) {
                return Ok(runs);
            }
            runs.push(run);
        }
        page_token = page.next_page_token;
        if runs.len() == limit || page_token.is_empty() {
            return Ok(runs);
        }
    }
}

/// Whether a run is none of those that were asked for: coordinators of the release before do not
/// know these fields, and list all runs.
fn contradicts(request: &ListRunsRequest, run: &Run) -> bool {
    let is_of_other_days = match (&request.days, &run.window) {
        (Some(asked), Some(window)) => {
            window.start_date > asked.end_date || window.end_date < asked.start_date
        }
        _ => false,
    };
    is_of_other_days || !(request.triggers.is_empty() || request.triggers.contains(&run.trigger))
}

fn print(run: &Run, now: DateTime<Utc>, output: &mut Output) -> Result<(), Error> {
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
    use proto::{
        pipeline::v1::{StageAttempt, StageState},
        stage::v1::DateWindow,
    };

    use super::*;
    use crate::output::Captured;

    #[test]
    fn a_coordinator_that_does_not_know_a_filter_is_noticed() {
        let window = |start: &str, end: &str| DateWindow { start_date: start.into(), end_date: end.into() };
        let run = Run {
            trigger: RunTrigger::Backfill.into(),
            window: Some(window("2026-02-01", "2026-02-07")),
            ..Run::default()
        };
        let asked = |triggers: &[RunTrigger], days| ListRunsRequest {
            triggers: triggers.iter().map(|trigger| (*trigger).into()).collect(),
            days,
            ..ListRunsRequest::default()
        };
        for (request, expected) in [
            (asked(&[], None), false),
            (asked(&[RunTrigger::Manual, RunTrigger::Backfill], None), false),
            (asked(&[RunTrigger::Manual], None), true),
            (asked(&[], Some(window("2026-02-07", "2026-02-09"))), false),
            (asked(&[], Some(window("2026-02-08", "2026-02-09"))), true),
            (asked(&[], Some(window("2026-01-01", "2026-01-31"))), true),
        ] {
            assert_eq!(contradicts(&request, &run), expected, "{request:?}");
        }
    }

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
