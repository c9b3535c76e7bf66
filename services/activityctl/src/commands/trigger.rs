//! `activityctl trigger`

use chrono::NaiveDate;
use clap::Args;
use contract::message::window_to_proto;
use domain::DateWindow;
use proto::pipeline::v1::{Run, TriggerRunRequest};

use crate::{
    commands::watch::wait,
    confirm::ConfirmArgs,
    connect::{Connection, Patience, ServerArgs},
    days::{DayRangeArgs, parse_day},
    error::Error,
    follow::FollowArgs,
    format::{
        table,
        value::{run_state, run_trigger},
    },
    output::{Output, notice},
    reach::ask,
};

const EXAMPLES: &str = "\
The first line on standard output is the run's id, alone.
Triggering is idempotent: asking twice for the same days returns the same run.
Ctrl-C while waiting leaves the run alone: see `activityctl cancel`.

Exit codes: 0 the run was accepted (with --wait: it succeeded), 1 the command failed, 2 wrong usage,
            3 with --wait: the run failed or was cancelled.

Examples:
  activityctl trigger --wait                              up to yesterday, as every night
  activityctl trigger --date 2026-02-12 --force --wait    a published day once more
  activityctl trigger --from 2026-02-01 --to 2026-02-12   a range of days as one run
  activityctl trigger --date 2026-02-12 --accept-empty 2026-02-12
                                                          a day on which nobody really did anything
  activityctl trigger --date 2026-02-12 --rebuild --from-staging --wait
                                                          a day whose rows something else has changed
  RUN=$(activityctl trigger) && activityctl watch $RUN    start now, look later";

/// Start a run of the pipeline, or find the one there is over the same days
///
/// Without days: every day not yet published, from the first gap within the horizon of the coordinator
/// (--history-start, --max-reach) up to yesterday (UTC); just yesterday if nothing is published there yet.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TriggerArgs {
    #[command(flatten)]
    days: DayRangeArgs,

    /// Run the days again even if a run over them has already succeeded, and even if they are far from
    /// everything published, which a terminal asks about
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    confirm: ConfirmArgs,

    /// Believe an empty or much smaller answer of the source for this day, one of those to run; may be repeated
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    accept_empty: Vec<NaiveDate>,

    #[command(flatten)]
    rebuild: RebuildArgs,

    /// Wait until the run has ended, and show its progress
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Whether to build days anew.
#[derive(Debug, Args)]
#[group(skip)]
struct RebuildArgs {
    /// Compute every company of the days again, and write what differs, even where nothing has changed: for rows
    /// that something other than a publish has changed, which `activityctl verify` finds
    #[arg(long)]
    rebuild: bool,

    /// Ask no source: build, audit and publish what is staged
    #[arg(long, requires = "rebuild")]
    from_staging: bool,
}

impl RebuildArgs {
    /// The days of `window`, if they are to be rebuilt.
    fn days(&self, window: Option<DateWindow>) -> Result<Vec<String>, Error> {
        match window {
            Some(window) if self.rebuild => Ok(window.days().map(|day| day.to_string()).collect()),
            None if self.rebuild => {
                Err(Error::Usage("say which days to rebuild: --date D, or --from D --to D".to_owned()))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// Triggers a run.
///
/// # Errors
/// If the server refuses, or the run it waited for did not succeed.
pub async fn execute(args: &TriggerArgs, output: &mut Output) -> Result<(), Error> {
    let window = args.days.window()?;
    let rebuild_days = args.rebuild.days(window)?;
    let connection = Connection::open(&args.server, Patience::Job).await?;
    let request = TriggerRunRequest {
        pipeline: String::new(),
        window: window.map(window_to_proto),
        force: args.force,
        accept_empty_days: args.accept_empty.iter().map(ToString::to_string).collect(),
        beyond_reach: false,
        rebuild_days,
        from_staging: args.rebuild.from_staging,
    };
    let trigger = async |beyond_reach| {
        let request = TriggerRunRequest { beyond_reach, ..request.clone() };
        connection.pipeline().trigger_run(request).await
    };
    let response = ask(&connection, args.force, args.confirm, trigger).await?.into_inner();
    let run = response.run.ok_or(Error::Contract("has no run"))?;
    output.line(&run.run_id)?;
    notice(summary(&run, response.created));
    if args.wait {
        wait(&connection, &run.run_id, &args.follow, output).await?;
    }
    Ok(())
}

fn summary(run: &Run, created: bool) -> String {
    let days = table::window(run.window.as_ref());
    let state = run_state(run.state).to_lowercase();
    let cause = run_trigger(run.trigger).to_lowercase();
    if created {
        format!("created a {cause} run of {} over {days}", run.pipeline)
    } else {
        format!("a {cause} run of {} over {days} is there already: {state}", run.pipeline)
    }
}
