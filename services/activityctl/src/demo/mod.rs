//! `activityctl demo`: the whole pipeline over sample sources, in one go.

mod report;
mod sources;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use chrono::{Days, NaiveDate};
use clap::{
    Args, Command, FromArgMatches,
    builder::{OsStr, Resettable},
};
use domain::DateWindow;
use proto::pipeline::v1::{Run, TriggerRunRequest};
use runtime::{Context, ServerOptions, serve, stage::window_to_proto};
use sample_sources::WorldOptions;
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tracing_subscriber::EnvFilter;

use self::sources::SampleSources;
use crate::{
    connect::Connection,
    error::Error,
    follow::{FollowArgs, follow_to_success},
    output::Output,
    progress::RunProgress,
    standalone::{self, DataFolder, SuiteOptions},
};

const EXAMPLES: &str = "\
Makes up companies with a CRM that exports a file a day and a product API, runs the real
pipeline over their history, then over the next day, when late records and corrections have
arrived. Shows what each stage did, rows of the result and the companies about to leave.
Needs no network and leaves nothing behind, unless --data-dir is given.

Examples:
  activityctl demo
  activityctl demo --companies 200 --days 30
  activityctl demo --data-dir demo-data";

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

    /// What to log to standard error: a level, or directives such as `info,coordinator=debug`
    #[arg(long, env = "LOG", value_name = "FILTER", default_value = "warn")]
    log: String,
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
    let place = Place::open(args.data_dir.as_deref())?;
    let story = Story::new(context.clock.yesterday(), args.days)?;
    let stage = Stage::set(&args, &story, &place, &context).await?;
    let outcome = tokio::select! {
        outcome = play(&args, &story, &stage, &mut progress, &mut output) => outcome,
        () = context.shutdown.cancelled() => Err(anyhow::anyhow!("interrupted").into()),
    };
    context.shutdown.cancel();
    stage.clear().await?;
    outcome?;
    report::print_hints(args.data_dir.as_deref(), story.days, &mut output)
}

/// Starts the logs that `args` ask for, out of the way of the progress bars.
///
/// # Errors
/// If the filter makes no sense.
pub fn init_telemetry(args: &DemoArgs, progress: &RunProgress) -> Result<(), Error> {
    let filter =
        EnvFilter::try_new(&args.log).with_context(|| format!("--log {:?} is no filter", args.log))?;
    let writer = progress.log_writer();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || writer.clone())
        .try_init()
        .map_err(|error| anyhow::anyhow!("logging cannot be started: {error}").into())
}

async fn play(
    args: &DemoArgs,
    story: &Story,
    stage: &Stage,
    progress: &mut RunProgress,
    output: &mut Output,
) -> Result<(), Error> {
    let records = stage.sources.advance_to(story.next_day).await?;
    output.line(format_args!(
        "{} companies and {} days of history: {} CRM exports and {records} usage records",
        args.companies, args.days, args.days
    ))?;
    let history = stage.run(story.history, progress).await?;

    let records = stage.sources.advance_to(story.days_end_exclusive()).await? - records;
    let day = story.next_day;
    output.line(format_args!(
        "\nThe next morning: {day} is over, {records} records came in, some of them for earlier days"
    ))?;
    let next_day = stage.run(DateWindow::day(day), progress).await?;

    report::print_stages(&history, &next_day, output)?;
    report::print_result(&stage.connection, &next_day, day, output).await
}

/// Which days the demo is about.
#[derive(Debug)]
struct Story {
    history: DateWindow,
    next_day: NaiveDate,
    /// All of them.
    days: DateWindow,
}

impl Story {
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

    /// The morning on which the next day is over.
    fn days_end_exclusive(&self) -> NaiveDate {
        self.next_day.succ_opt().unwrap_or(self.next_day)
    }
}

/// Where the demo's files are.
#[derive(Debug)]
struct Place {
    folder: DataFolder,
    /// Removed with everything in it when dropped.
    _temporary: Option<TempDir>,
}

impl Place {
    fn open(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(data_dir) = data_dir else {
            let temporary =
                TempDir::with_prefix("activityctl-demo-").context("cannot create a temporary folder")?;
            return Ok(Self { folder: DataFolder::open(temporary.path())?, _temporary: Some(temporary) });
        };
        let is_used = fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some());
        anyhow::ensure!(!is_used, "the folder {} is not empty: name a new one", data_dir.display());
        Ok(Self { folder: DataFolder::open(data_dir)?, _temporary: None })
    }
}

/// The sources and the services, running.
#[derive(Debug)]
struct Stage {
    sources: SampleSources,
    connection: Connection,
    services: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    async fn set(args: &DemoArgs, story: &Story, place: &Place, context: &Context) -> anyhow::Result<Self> {
        let world = WorldOptions {
            seed: args.seed,
            companies: usize::try_from(args.companies)?,
            first_day: story.days.start(),
            days: u32::try_from(story.days.len_days())?,
            ..WorldOptions::default()
        };
        let sources = SampleSources::start(world, place.folder.root(), context.shutdown.clone()).await?;
        let options = suite_options(sources.api_url())?.with_defaults_in(&place.folder)?;
        let (address, services) = serve_suite(options, context.clone()).await?;
        let server = format!("http://{address}");
        let connection = Connection::through(server.clone(), runtime::channel::connect(&server)?);
        Ok(Self { sources, connection, services })
    }

    /// Runs the pipeline over some days, and shows its progress.
    async fn run(&self, days: DateWindow, progress: &mut RunProgress) -> Result<Run, Error> {
        let request =
            TriggerRunRequest { window: Some(window_to_proto(days)), ..TriggerRunRequest::default() };
        let response = self.connection.pipeline().trigger_run(request).await;
        let run = response.map_err(|status| self.connection.failure(status))?.into_inner().run;
        let run = run.ok_or(Error::Contract("has no run"))?;
        // The server is this process: what does not answer now never will.
        let follow = FollowArgs { reconnect_for: Duration::from_secs(1) };
        follow_to_success(&self.connection, &run.run_id, &follow, progress).await
    }

    /// Waits for everything to end after the context has shut down.
    async fn clear(self) -> anyhow::Result<()> {
        drop(self.connection);
        self.services.await??;
        self.sources.ended().await
    }
}

/// The services' defaults, whatever the environment says: it is meant for
/// services that do real work.
fn suite_options(product_api_url: String) -> anyhow::Result<SuiteOptions> {
    let command = SuiteOptions::augment_args(Command::new("demo").no_binary_name(true))
        .mut_args(|arg| arg.env(Resettable::<OsStr>::Reset));
    let matches = command.try_get_matches_from(["--product-api-url", &product_api_url])?;
    Ok(SuiteOptions::from_arg_matches(&matches)?)
}

async fn serve_suite(
    options: SuiteOptions,
    context: Context,
) -> anyhow::Result<(SocketAddr, JoinHandle<anyhow::Result<()>>)> {
    let suite = standalone::assemble(options, &context).await?;
    let (listening, address) = oneshot::channel();
    let server = ServerOptions { drain_timeout: Duration::from_secs(2), ..ServerOptions::default() };
    let mut services = tokio::spawn(serve(suite, server, context, |address| {
        let _ = listening.send(address);
    }));
    tokio::select! {
        Ok(address) = address => Ok((address, services)),
        ended = &mut services => {
            ended??;
            anyhow::bail!("the services ended before they listened")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn args(data_dir: &Path) -> DemoArgs {
        DemoArgs {
            companies: 30,
            days: 20,
            seed: 1,
            data_dir: Some(data_dir.to_owned()),
            log: "off".to_owned(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_demo_shows_stages_rows_and_risks_and_keeps_its_folder_on_request() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("kept");
        let printed = Shared::default();
        let output = Output::plain(printed.clone());
        run(args(&folder), RunProgress::for_stderr(), output, Context::new()).await.unwrap();
        let text = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
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

    #[test]
    fn a_temporary_place_leaves_nothing_behind() {
        let place = Place::open(None).unwrap();
        let root = place.folder.root().to_owned();
        assert!(root.exists());
        drop(place);
        assert!(!root.exists());
    }

    #[test]
    fn the_services_of_the_demo_ignore_the_environment() {
        let command = SuiteOptions::augment_args(Command::new("demo"));
        let from_environment = command.get_arguments().filter(|arg| arg.get_env().is_some()).count();
        assert!(from_environment > 10);
        let options = suite_options("http://127.0.0.1:1/v1/product-usage".to_owned()).unwrap();
        assert_eq!(
            options.ingest_api.product_api_url.as_deref(),
            Some("http://127.0.0.1:1/v1/product-usage")
        );
    }
}
