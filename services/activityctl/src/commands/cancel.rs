//! `activityctl cancel`

use clap::Args;
use proto::pipeline::v1::CancelRunRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::value::run_state,
    output::Output,
};

const EXAMPLES: &str = "\
Running stages are stopped and rolled back; a cancelled run publishes nothing.
It can be continued later with `activityctl retry`.

Examples:
  activityctl cancel 01989d3c-5a52-7f3e-8f8e-0c8f6f6b1a11";

/// Cancel a run that has not ended
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CancelArgs {
    /// The run's id, as printed by `trigger` and `runs`
    #[arg(value_name = "RUN")]
    run_id: String,

    #[command(flatten)]
    server: ServerArgs,
}

/// Cancels a run.
///
/// # Errors
/// If the server refuses, for example because the run has ended.
pub async fn execute(args: &CancelArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Job).await?;
    let request = CancelRunRequest { run_id: args.run_id.clone() };
    let response = connection.pipeline().cancel_run(request).await;
    let run = response.map_err(|status| connection.failure(status))?.into_inner().run;
    let run = run.ok_or(Error::Contract("has no run"))?;
    output.line(format_args!("{} {}", run.run_id, run_state(run.state)))
}
