//! `activityctl backfill`

use chrono::NaiveDate;
use clap::Args;
use contract::message::window_to_proto;
use domain::retry_after::patient_wait;
use presentation::run_end::has_ended;
use proto::{
    pipeline::v1::{BackfillRequest, BackfillResponse, PreviewBackfillRequest, Run},
    stage::v1::DateWindow as DateWindowProto,
};
use tonic::{Status, Streaming};

use crate::{
    commands::backfill_preview,
    confirm::ConfirmArgs,
    connect::{Connection, Patience, ServerArgs},
    days::{parse_day, window},
    error::{Error, asked_wait, is_passing},
    follow::{FollowArgs, LONGEST_WAIT, reconnect_delays},
    format::{RowFormat, table},
    output::{Output, notice},
    progress::RunProgress,
    reach::ask,
    run_end::success,
};

const EXAMPLES: &str = "\
The days are run in bounded chunks, one run after the other. Without --force only those are
run that are not published yet, and those whose newest run failed or was cancelled: a backfill
that stopped is simply started again. One that stopped with --force says how to continue it.

--dry-run fetches the days from the product API and tells which company-days the backfill
would add, change or remove: counts for all, old and new values for a sample. It changes
nothing. CRM exports that are not loaded yet, and audits that would block, are not in it.

Exit codes: 0 all days are published, or the dry run is complete; 1 the command failed,
            2 wrong usage, 3 a run failed or was cancelled.

Examples:
  activityctl backfill --from 2025-11-01 --to 2026-01-31
  activityctl backfill --from 2026-01-01 --to 2026-01-31 --force --dry-run
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

    /// Run all days, also those that are published already, and even if they are far from everything
    /// published, which a terminal asks about
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    follow: FollowArgs,

    /// At most this many days a run
    #[arg(long, value_name = "N", default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
    chunk_days: u32,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: old and new values of at most this many company-days
    #[arg(long, value_name = "N", default_value_t = 20, requires = "dry_run", value_parser = clap::value_parser!(u32).range(..=1000))]
    sample: u32,

    /// With --dry-run: how to print them. JSON ends with the counts, CSV has the sample alone
    #[arg(long, value_enum, default_value_t = RowFormat::Table, requires = "dry_run")]
    format: RowFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// Runs a backfill to its end.
///
/// # Errors
/// If the server refuses, the stream breaks or a run does not succeed.
pub async fn execute(args: &BackfillArgs, output: &mut Output) -> Result<(), Error> {
    let window = window(args.from, args.to)?;
    let connection = Connection::open(&args.server, Patience::Job).await?;
    let (pipeline, window) = (String::new(), Some(window_to_proto(window)));
    let BackfillArgs { force, chunk_days, sample: sample_size, .. } = *args;
    if args.dry_run {
        let request =
            PreviewBackfillRequest { pipeline, window, force, chunk_days, sample_size, beyond_reach: false };
        return backfill_preview::run(&connection, &request, args.confirm, args.format, output).await;
    }
    let request = BackfillRequest { pipeline, window, force, chunk_days, ..BackfillRequest::default() };
    run(&connection, &request, &args.follow, args.confirm, output).await
}

/// Requests a backfill and waits for its end. If it does not get there, prints how to continue it.
///
/// # Errors
/// If the server refuses, the stream breaks, the wait is interrupted or a run does not succeed.
pub async fn run(
    connection: &Connection,
    request: &BackfillRequest,
    follow: &FollowArgs,
    confirm: ConfirmArgs,
    output: &mut Output,
) -> Result<(), Error> {
    let start = async |beyond_reach| {
        let asked = BackfillRequest { beyond_reach, ..request.clone() };
        let changes = connection.pipeline().backfill(asked.clone()).await?;
        Ok((asked, changes.into_inner()))
    };
    let (asked, changes) = ask(connection, request.force, confirm, start).await?;
    let mut backfill = Backfill::new(&asked);
    let outcome = backfill.follow(&asked, changes, connection, follow, output).await;
    if outcome.is_err() {
        backfill.continuation(&asked, connection).into_iter().for_each(notice);
    }
    outcome
}

/// The state of a backfill.
struct Backfill {
    progress: RunProgress,
    /// Each run once, in its newest state.
    runs: Vec<Run>,
    days: (u32, u32),
    /// Days done before the connection was lost, if only the rest was requested again.
    done_before: u32,
    /// The first day that is not done; empty once all are.
    next_date: String,
}

impl Backfill {
    fn new(asked: &BackfillRequest) -> Self {
        Self {
            progress: RunProgress::for_stderr(),
            runs: Vec::new(),
            days: (0, 0),
            done_before: 0,
            next_date: asked.window.as_ref().map(|window| window.start_date.clone()).unwrap_or_default(),
        }
    }

    async fn follow(
        &mut self,
        asked: &BackfillRequest,
        mut changes: Streaming<BackfillResponse>,
        connection: &Connection,
        follow: &FollowArgs,
        output: &mut Output,
    ) -> Result<(), Error> {
        let outcome = loop {
            let change = tokio::select! {
                change = changes.message() => change,
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    let reported = "interrupted: the run that is under way goes on, no further one is started";
                    return Err(Error::Local(anyhow::anyhow!(reported)));
                }
            };
            match change {
                Ok(Some(change)) => self.show(change),
                Ok(None) => break Ok(()),
                Err(status) if is_passing(&status) => {
                    match self.reconnect(asked, status, connection, follow).await {
                        Ok(again) => changes = again,
                        Err(error) => break Err(error),
                    }
                }
                Err(status) => break Err(connection.failure(status)),
            }
        };
        output.table(table::runs(&self.runs))?;
        // First, because a failed run also ends the stream with an error.
        self.runs.iter().filter(|run| has_ended(run)).try_for_each(success)?;
        outcome?;
        if !self.runs.iter().all(has_ended) {
            return Err(Error::Contract("ended before the backfill did"));
        }
        let (done, total) = self.days;
        output.line(format_args!("{done} of {total} days done"))
    }

    /// Requests the rest of the backfill once the server is back. It covers the
    /// days of the run in progress, so the server finds that run again.
    async fn reconnect(
        &mut self,
        asked: &BackfillRequest,
        lost: Status,
        connection: &Connection,
        follow: &FollowArgs,
    ) -> Result<Streaming<BackfillResponse>, Error> {
        self.progress.note(format_args!("lost the server: {}; trying again", lost.message()));
        let mut rest = asked.clone();
        if let (true, Some(window)) = (asked.force && !self.next_date.is_empty(), rest.window.as_mut()) {
            window.start_date.clone_from(&self.next_date);
        }
        // Without force the same days are requested, and those already done count as done.
        self.done_before = if asked.force { self.days.0 } else { 0 };
        let mut delays = reconnect_delays(follow);
        let mut status = lost;
        loop {
            let Some(delay) = delays.next() else { return Err(connection.failure(status)) };
            tokio::time::sleep(patient_wait(delay, asked_wait(&status), LONGEST_WAIT)).await;
            match connection.pipeline().backfill(rest.clone()).await {
                Ok(changes) => return Ok(changes.into_inner()),
                Err(again) if is_passing(&again) => status = again,
                Err(refusal) => return Err(connection.failure(refusal)),
            }
        }
    }

    fn show(&mut self, change: BackfillResponse) {
        self.days = (change.days_done + self.done_before, change.days_total + self.done_before);
        self.next_date = change.next_date;
        let Some(run) = change.run else { return };
        if self.runs.last().is_none_or(|last| last.run_id != run.run_id) {
            let days = table::window(run.window.as_ref());
            let (done, total) = self.days;
            self.progress.note(format_args!("run {} over {days} ({done}/{total} days done)", run.run_id));
        }
        self.progress.show(&run);
        self.runs.retain(|known| known.run_id != run.run_id);
        self.runs.push(run);
    }

    /// The command that continues the backfill; `None` if nothing is left to
    /// do. Without force it names the same days, and those already done count
    /// as done.
    fn continuation(&self, asked: &BackfillRequest, connection: &Connection) -> Option<String> {
        let DateWindowProto { start_date, end_date } = asked.window.as_ref()?;
        if self.next_date.is_empty() {
            return None;
        }
        let (from, force) = if asked.force { (&self.next_date, " --force") } else { (start_date, "") };
        let chunk_days = asked.chunk_days;
        Some(format!(
            "continue with: activityctl backfill --from {from} --to {end_date}{force} --chunk-days {chunk_days} \
             --server {}",
            connection.server()
        ))
    }
}

#[cfg(test)]
mod tests {
    use runtime::ClientArgs;

    use super::*;

    #[tokio::test]
    async fn a_backfill_that_stopped_reports_how_to_continue_it() {
        let server = ServerArgs {
            server: "127.0.0.1:1".parse().unwrap(),
            connect_timeout: None,
            client: ClientArgs::default(),
        };
        let connection = Connection::new(&server).unwrap();
        let days = window(parse_day("2026-01-01").unwrap(), parse_day("2026-01-31").unwrap()).unwrap();
        let asked = |force| BackfillRequest {
            window: Some(window_to_proto(days)),
            force,
            chunk_days: 7,
            ..BackfillRequest::default()
        };
        let reported = |force, next_date: &str| {
            let stopped = Backfill { next_date: next_date.to_owned(), ..Backfill::new(&asked(force)) };
            stopped.continuation(&asked(force), &connection)
        };
        let rest = "--chunk-days 7 --server http://127.0.0.1:1";
        let command = |from: &str, force: &str| {
            Some(format!("continue with: activityctl backfill --from {from} --to 2026-01-31{force} {rest}"))
        };
        assert_eq!(reported(true, "2026-01-15"), command("2026-01-15", " --force"));
        assert_eq!(reported(false, "2026-01-15"), command("2026-01-01", ""));
        assert_eq!(reported(true, ""), None);
    }
}
