//! `activityctl unpublish`

use clap::Args;
use contract::message::window_to_proto;
use indicatif::HumanCount;
use proto::pipeline::v1::UnpublishDaysRequest;

use crate::{
    confirm::{Answer, ConfirmArgs},
    connect::{Connection, Patience, ServerArgs},
    days::DayRangeArgs,
    error::Error,
    follow::{FollowArgs, follow_to_success},
    output::{Output, notice},
    progress::RunProgress,
};

const EXAMPLES: &str = "\
The rows of the days go, and so does their place in the ledger, all at once in a run that
`activityctl runs` lists. What was fetched for them stays, so that they can be published again:
`activityctl trigger` with the days does so, and the schedule does for days between published ones.

Exit codes: 0 the days are taken back, 1 the command failed, 2 wrong usage or not confirmed,
            3 the run failed or was cancelled.

Examples:
  activityctl unpublish --date 2006-11-24
  activityctl unpublish --from 2026-02-01 --to 2026-02-12 --yes";

/// Take published days back, in a run that reports how many rows went
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct UnpublishArgs {
    #[command(flatten)]
    days: DayRangeArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Unpublishes days and waits for the run's end.
///
/// # Errors
/// If the user does not confirm, the server refuses, or the run does not succeed.
pub async fn execute(args: &UnpublishArgs, output: &mut Output) -> Result<(), Error> {
    let Some(window) = args.days.window()? else {
        return Err(Error::Usage("say which days: --date D, or --from D --to D".to_owned()));
    };
    match args.confirm.ask(&format!("Take the published days of {window} back?"))? {
        Answer::Yes => {}
        Answer::No => return Err(Error::Usage("nothing was taken back".to_owned())),
        Answer::NobodyThere => {
            return Err(Error::Usage("nobody is there to confirm it: add --yes if it is meant".to_owned()));
        }
    }
    let connection = Connection::open(&args.server, Patience::Job).await?;
    let request = UnpublishDaysRequest { pipeline: String::new(), window: Some(window_to_proto(window)) };
    let response = connection.pipeline().unpublish_days(request).await;
    let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
    let run_id = run.ok_or(Error::Contract("has no run"))?.run_id;
    notice(format_args!("run {run_id} takes the published days of {window} back"));
    let run = follow_to_success(&connection, &run_id, &args.follow, &mut RunProgress::for_stderr()).await?;
    let counters = run.stages.iter().filter_map(|stage| stage.progress.as_ref()?.counters);
    let rows = HumanCount(counters.map(|counters| counters.rows_removed).sum());
    output.line(format_args!("took {rows} rows of {window} back (run {run_id})"))
}
