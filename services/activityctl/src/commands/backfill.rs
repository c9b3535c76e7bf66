//! `activityctl backfill`

use chrono::NaiveDate;
use clap::Args;
use proto::pipeline::v1::{BackfillRequest, BackfillResponse, Run};
use runtime::stage::window_to_proto;

use crate::{
    connect::{Connection, ServerArgs},
    days::{parse_day, window},
    error::Error,
    follow::{has_ended, success},
    format::table,
    output::Output,
    progress::RunProgress,
};

const EXAMPLES: &str = "\
The days are run in bounded chunks, one run after the other; without --force only those
that are not published yet, so that an interrupted backfill can simply be started again.

Exit codes: 0 all days are published, 1 the command failed, 2 wrong usage,
            3 a run failed or was cancelled.

Examples:
  activityctl backfill --from 2025-11-01 --to 2026-01-31
  activityctl backfill --from 2026-01-01 --to 2026-01-31 --force --chunk-days 7";

/// Run the pipeline over past days, and wait for it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BackfillArgs {
    /// The first UTC day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    from: NaiveDate,

    /// The last UTC day, included
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    to: NaiveDate,

    /// Also run days that are already published
    #[arg(long)]
    force: bool,

    /// At most this many days a run
    #[arg(long, value_name = "N", default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    chunk_days: u32,

    #[command(flatten)]
    server: ServerArgs,
}

/// Runs a backfill to its end.
///
/// # Errors
/// If the server refuses, the stream breaks or a run does not succeed.
pub async fn execute(args: &BackfillArgs, output: &mut Output) -> Result<(), Error> {
    let window = window(args.from, args.to)?;
    let connection = Connection::new(&args.server)?;
    let request = BackfillRequest {
        pipeline: String::new(),
        window: Some(window_to_proto(window)),
        force: args.force,
        chunk_days: args.chunk_days,
    };
    run(&connection, request, output).await
}

/// Asks for a backfill and waits for its end.
///
/// # Errors
/// If the server refuses, the stream breaks or a run does not succeed.
pub async fn run(
    connection: &Connection,
    request: BackfillRequest,
    output: &mut Output,
) -> Result<(), Error> {
    let failure = |status| connection.failure(status);
    let mut changes = connection.pipeline().backfill(request).await.map_err(failure)?.into_inner();
    let mut backfill = Backfill { progress: RunProgress::for_stderr(), runs: Vec::new() };
    let mut days = (0, 0);
    let outcome = loop {
        match changes.message().await {
            Ok(Some(change)) => {
                days = (change.days_done, change.days_total);
                backfill.show(change);
            }
            Ok(None) => break Ok(()),
            Err(status) => break Err(failure(status)),
        }
    };
    output.table(table::runs(&backfill.runs))?;
    // First of all, because a run without success also ends the stream in an error.
    backfill.runs.iter().filter(|run| has_ended(run)).try_for_each(success)?;
    outcome?;
    if !backfill.runs.iter().all(has_ended) {
        return Err(Error::Contract("ended before the backfill did"));
    }
    let (done, total) = days;
    output.line(format_args!("{done} of {total} days done"))
}

/// What a backfill has done so far.
struct Backfill {
    progress: RunProgress,
    /// One entry per run in its newest state.
    runs: Vec<Run>,
}

impl Backfill {
    fn show(&mut self, change: BackfillResponse) {
        let Some(run) = change.run else { return };
        if self.runs.last().is_none_or(|last| last.run_id != run.run_id) {
            let days = table::window(run.window.as_ref());
            self.progress.note(format_args!(
                "run {} over {days} ({}/{} days done)",
                run.run_id, change.days_done, change.days_total
            ));
        }
        self.progress.show(&run);
        self.runs.retain(|known| known.run_id != run.run_id);
        self.runs.push(run);
    }
}
