//! `activityctl retry`

use clap::Args;
use proto::pipeline::v1::RetryRunRequest;

use crate::{
    commands::watch::wait,
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    follow::FollowArgs,
    output::Output,
};

const EXAMPLES: &str = "\
Stages that have succeeded are not repeated; the days of the run stay the same.

Exit codes: 0 the run was continued (with --wait: it succeeded), 1 the command failed, 2 wrong usage,
            3 with --wait: the run failed again or was cancelled.

Examples:
  activityctl runs --state failed
  activityctl retry 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11 --wait";

/// Continue a failed or cancelled run at its first unfinished stage
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RetryArgs {
    /// The run's id, as printed by `trigger` and `runs`
    #[arg(value_name = "RUN")]
    run_id: String,

    /// Wait until the run has ended, and show its progress
    #[arg(long)]
    wait: bool,

    #[command(flatten)]
    follow: FollowArgs,

    #[command(flatten)]
    server: ServerArgs,
}

/// Continues a run.
///
/// # Errors
/// If the server refuses, or the run it waited for did not succeed.
pub async fn execute(args: &RetryArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Job).await?;
    let request = RetryRunRequest { run_id: args.run_id.clone() };
    let response = connection.pipeline().retry_run(request).await;
    let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
    let run = run.ok_or(Error::Contract("has no run"))?;
    output.line(&run.run_id)?;
    if args.wait {
        wait(&connection, &run.run_id, &args.follow, output).await?;
    }
    Ok(())
}
