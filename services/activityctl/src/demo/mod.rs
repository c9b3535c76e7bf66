//! `activityctl demo`: the whole pipeline over sample sources, in one go.

mod report;
mod sources;
mod system;

use std::path::PathBuf;

use anyhow::Context as _;
use chrono::{Days, NaiveDate};
use clap::Args;
use domain::DateWindow;
use runtime::{Context, LogWriter, Process, TelemetryArgs};
use sample_sources::WorldOptions;

use self::system::{DemoFolder, DemoSystem};
use crate::{
    error::Error,
    output::{Output, has_coloured_stderr},
    progress::RunProgress,
};

const EXAMPLES: &str = "\
Makes up companies with a CRM that exports a file a day and a product API, runs the real
pipeline over their history, then over the next day, when late records and corrections have
arrived. Shows what each stage did, rows of the result and the companies about to leave.
Needs no network and leaves nothing behind, unless --data-dir is given.

Examples:
  activityctl demo
  activityctl demo --companies 200 --days 30
  activityctl demo --data-dir demo-data
  activityctl demo --keep-open";

/// See the whole pipeline work on made-up companies, nothing to set up
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// How many companies there are
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    companies: u32,

    /// How many days of history there are
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,

    /// The source of all randomness: another seed, another world
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Keep everything in this folder, which must be new or empty [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Keep everything running after the report, to look around in the console, until Ctrl+C
    #[arg(long)]
    keep_open: bool,

    /// What to log to standard error: a level, or directives such as `info,coordinator=debug`
    #[arg(long, env = "LOG", value_name = "FILTER", default_value = "warn")]
    log: String,

    /// Collector that takes the traces of the runs over OTLP (gRPC), for example
    /// http://localhost:4317 [default: none]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = runtime::parse_collector)]
    otlp_endpoint: Option<String>,

    /// Trust a collector at an https:// URL whose certificate these CAs have signed: a PEM file
    /// [default: the system's CAs]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_CERTIFICATE", value_name = "FILE")]
    otlp_ca_file: Option<PathBuf>,
}

/// Runs the demo.
///
/// # Errors
/// If anything fails, or it is interrupted.
pub async fn run(
    args: DemoArgs,
    mut progress: RunProgress,
    mut output: Output,
    context: Context,
) -> Result<(), Error> {
    let folder = DemoFolder::open(args.data_dir.as_deref())?;
    let timeline = Timeline::new(context.clock.yesterday(), args.days)?;
    progress.note(format_args!(
        "Making up {} companies and what they did for {} days ...",
        args.companies, args.days
    ));
    let system = DemoSystem::start(world(&args, &timeline)?, &folder, &context).await?;
    progress.note(format_args!("The console shows all of it at http://{}/", system.console));
    let outcome = run_both_mornings(&args, &timeline, &system, &mut progress, &mut output).await;
    if args.keep_open && outcome.is_ok() {
        report::print_open(system.console, system.connection.server(), &mut output)?;
        system.keep_open().await;
    }
    context.shutdown.cancel();
    system.ended().await?;
    outcome?;
    report::print_hints(args.data_dir.as_deref(), timeline.days, &mut output)
}

/// The process for `args`; its log lines do not disturb the progress bars.
#[must_use]
pub fn process(args: &DemoArgs, progress: &RunProgress, context: &Context) -> Process {
    let writer = progress.log_writer();
    Process {
        name: "demo",
        telemetry: TelemetryArgs {
            log: args.log.clone(),
            otlp_endpoint: args.otlp_endpoint.clone(),
            otlp_ca_file: args.otlp_ca_file.clone(),
            ..TelemetryArgs::for_a_command()
        },
        log_writer: LogWriter::for_people(move || writer.clone(), has_coloured_stderr()),
        admin_listen: None,
        admin_token_file: None,
        context: context.clone(),
    }
}

async fn run_both_mornings(
    args: &DemoArgs,
    timeline: &Timeline,
    system: &DemoSystem,
    progress: &mut RunProgress,
    output: &mut Output,
) -> Result<(), Error> {
    let records = system.sources.advance_to(timeline.next_day).await?;
    output.line(format_args!(
        "{} companies and {} days of history: {} CRM exports and {records} usage records",
        args.companies, args.days, args.days
    ))?;
    let history = system.run(timeline.history, progress).await?;

    let records = system.sources.advance_to(timeline.morning_after()).await?.saturating_sub(records);
    let day = timeline.next_day;
    output.line(format_args!(
        "\nThe next morning: {day} is over, {records} records came in, some of them for earlier days"
    ))?;
    let next_day = system.run(DateWindow::day(day), progress).await?;

    report::print_stages(&history, &next_day, output)?;
    report::print_result(&system.connection, &next_day, day, output).await
}

fn world(args: &DemoArgs, timeline: &Timeline) -> anyhow::Result<WorldOptions> {
    Ok(WorldOptions {
        seed: args.seed,
        companies: usize::try_from(args.companies)?,
        first_day: timeline.days.start(),
        days: u32::try_from(timeline.days.len_days())?,
        ..WorldOptions::default()
    })
}

/// The days of the demo.
#[derive(Debug)]
struct Timeline {
    /// The days of the first run.
    history: DateWindow,
    /// The day of the second run.
    next_day: NaiveDate,
    /// The days of both runs.
    days: DateWindow,
}

impl Timeline {
    /// The history ends the day before `next_day`.
    fn new(next_day: NaiveDate, history_days: u32) -> anyhow::Result<Self> {
        let first_day = next_day.checked_sub_days(Days::new(u64::from(history_days)));
        let (first_day, last_day) = first_day.zip(next_day.pred_opt()).context("the calendar ends there")?;
        Ok(Self {
            history: DateWindow::new(first_day, last_day)?,
            next_day,
            days: DateWindow::new(first_day, next_day)?,
        })
    }

    /// The morning after the next day ends.
    fn morning_after(&self) -> NaiveDate {
        self.next_day.succ_opt().unwrap_or(self.next_day)
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    use super::*;
    use crate::output::Captured;

    fn args(data_dir: &Path) -> DemoArgs {
        DemoArgs {
            companies: 30,
            days: 20,
            seed: 1,
            data_dir: Some(data_dir.to_owned()),
            keep_open: false,
            log: "off".to_owned(),
            otlp_endpoint: None,
            otlp_ca_file: None,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_demo_shows_stages_rows_and_risks_and_keeps_its_folder_on_request() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("kept");
        let printed = Captured::default();
        let output = printed.output();
        run(args(&folder), RunProgress::for_stderr(), output, Context::new()).await.unwrap();
        let text = printed.text();
        for expected in [
            "20 CRM exports",
            "act_copy_crm_csv",
            "act_validate_row_counts",
            "21 days are published",
            "CHURN RISK",
            "LAST EVENT",
            "activityctl sample-api --usage",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing in:\n{text}");
        }
        assert!(folder.join("warehouse.sqlite").exists() && folder.join("usage.ndjson").exists());

        let again = run(args(&folder), RunProgress::for_stderr(), Output::plain(io::sink()), Context::new());
        let message = again.await.unwrap_err().to_string();
        assert!(message.contains("is not empty"), "{message}");
    }
}
