//! `activityctl runs` and `activityctl runs show`

use clap::{Args, Subcommand, ValueEnum};
use proto::pipeline::v1::{GetRunRequest, ListRunsRequest, Run, RunState};

use crate::{
    connect::{Connection, ServerArgs},
    error::Error,
    format::{Format, json, table, value::to_the_second},
    output::{Output, printable},
};

/// The most runs that the server puts on a page.
const MAX_PAGE: u32 = 200;

const EXAMPLES: &str = "\
--format json prints one JSON object a line (NDJSON), with the run's stages inside.

Examples:
  activityctl runs
  activityctl runs --state failed --limit 5
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

/// Show one run with its stages, errors and remarks
#[derive(Debug, Args)]
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
    let connection = Connection::new(&args.server)?;
    match &args.command {
        Some(RunsCommand::Show(show)) => {
            let run = run(&connection, &show.run_id).await?;
            match show.format {
                Format::Json => json::write_line(output.writer(), &json::RunJson::from(&run))?,
                Format::Table => print(&run, output)?,
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
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let states: Vec<i32> = args.state.iter().map(|state| RunState::from(*state).into()).collect();
    let mut runs = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListRunsRequest {
            page_size: i32::try_from(args.limit.min(MAX_PAGE)).unwrap_or(i32::MAX),
            page_token,
            states: states.clone(),
        };
        let page = connection.pipeline().list_runs(request).await;
        let page = page.map_err(|status| connection.failure(status))?.into_inner();
        runs.extend(page.runs);
        page_token = page.next_page_token;
        if runs.len() >= limit || page_token.is_empty() {
            runs.truncate(limit);
            return Ok(runs);
        }
    }
}

fn print(run: &Run, output: &mut Output) -> Result<(), Error> {
    output.table(table::runs([run]))?;
    output.line("")?;
    output.table(table::stages(run))?;
    for stage in &run.stages {
        let name = printable(&stage.stage);
        if !stage.error_message.is_empty() {
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
    if !run.traceparent.is_empty() {
        output.line(format_args!("\ntraceparent: {}", printable(&run.traceparent)))?;
    }
    Ok(())
}
