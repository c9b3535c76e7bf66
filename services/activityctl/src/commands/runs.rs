//! `activityctl runs` and `activityctl runs show`

use clap::{Args, Subcommand, ValueEnum};
use contract::message::window_to_proto;
use proto::pipeline::v1::{GetRunRequest, ListRunsRequest, Run, RunState, RunTrigger};
use runtime::{Clock, SystemClock};

use super::shown_run;
use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::DayRangeArgs,
    error::Error,
    format::{Format, json, table},
    output::Output,
};

/// The most runs per page that the server allows.
const MAX_PAGE: i32 = 200;

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
                Format::Table => shown_run::print(&run, SystemClock.now(), output)?,
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

#[cfg(test)]
mod tests {
    use proto::stage::v1::DateWindow;

    use super::*;

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
}
