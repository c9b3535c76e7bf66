//! `activityctl watch`

use clap::Args;
use proto::pipeline::v1::GetRunRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    follow::{FollowArgs, follow_to_success},
    format::table,
    output::Output,
    progress::RunProgress,
};

const EXAMPLES: &str = "\
Exit codes: 0 the run succeeded, 1 the command failed, 2 wrong usage, 3 the run failed or was cancelled.

Examples:
  activityctl watch 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11";

/// Show a run's progress until it has ended
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// The run's id, as printed by `trigger` and `runs`
    #[arg(value_name = "RUN")]
    run_id: String,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Watches a run.
///
/// # Errors
/// If the server refuses or the run did not succeed.
pub async fn execute(args: &WatchArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Job).await?;
    // Fails at once if the run or the server is missing; following would keep trying.
    let request = GetRunRequest { run_id: args.run_id.clone() };
    connection.pipeline().get_run(request).await.map_err(|status| connection.failure(status))?;
    wait(&connection, &args.run_id, &args.follow, output).await
}

/// Waits until a run has ended and shows its progress, then its stages.
///
/// # Errors
/// If the server refuses or the run did not succeed.
pub async fn wait(
    connection: &Connection,
    run_id: &str,
    follow: &FollowArgs,
    output: &mut Output,
) -> Result<(), Error> {
    let run = follow_to_success(connection, run_id, follow, &mut RunProgress::for_stderr()).await?;
    output.table(table::stages(&run))
}
