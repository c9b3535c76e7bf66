//! `activityctl whoami`

use clap::Args;
use proto::access::v1::GetCallerRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{Format, json, table},
    output::Output,
};

const EXAMPLES: &str = "\
Roles: reader (queries, and watches runs), operator (runs and repairs the pipeline), stage and
alerts (the coordinator's).

Examples:
  activityctl whoami --server https://activity.example.com --token-file token
  activityctl whoami --format json | jq -r '.roles[]'";

/// Show as whom the server knows you, and what you may do
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WhoamiArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the caller's name and roles.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &WhoamiArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let response = connection.access().get_caller(GetCallerRequest {}).await;
    let caller = response.map_err(|status| connection.failure(status))?.into_inner();
    match args.format {
        Format::Json => json::write_line(output.writer(), &json::CallerJson::from(&caller))?,
        Format::Table => {
            output.table(table::caller(&caller))?;
            if caller.is_anonymous {
                output.line("the server asks nobody who they are")?;
            }
        }
    }
    output.flush()
}
