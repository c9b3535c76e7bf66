//! `activityctl status`

use clap::Args;
use proto::{activity::v1::GetFreshnessRequest, monitoring::v1::GetPipelineStatusRequest};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{Format, json, monitoring::StatusJson, table},
    output::Output,
};

const EXAMPLES: &str = "\
The deadline is that of the first day that is not published, missed or to come; - if the
coordinator has none (--publish-deadline). Dirty ranges are changes to published company-days
that the next run publishes. Through which day data is published is shown if the server also
reads it, as `standalone` does; else ask the `activity` service for it: `activityctl freshness`.

Examples:
  activityctl status
  activityctl status --format json | jq .deadline.is_missed";

/// Show how the pipeline is doing: deadline, active runs, and what waits
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints how the pipeline is doing.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &StatusArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    show(&connection, args.format, output).await
}

async fn show(connection: &Connection, format: Format, output: &mut Output) -> Result<(), Error> {
    let status = connection.monitoring().get_pipeline_status(GetPipelineStatusRequest::default()).await;
    let status = status.map_err(|status| connection.failure_of("GetPipelineStatus", status))?.into_inner();
    let freshness = match connection.activity().get_freshness(GetFreshnessRequest {}).await {
        Ok(freshness) => Some(freshness.into_inner()),
        // A coordinator on its own reads nothing of what is published.
        Err(status) if access::is_unknown_method(&status) => None,
        Err(status) => return Err(connection.failure(status)),
    };
    match format {
        Format::Table => output.table(table::status(&status, freshness.as_ref()))?,
        Format::Json => {
            json::write_line(output.writer(), &StatusJson::new(&status, freshness.as_ref()))?;
        }
    }
    output.flush()
}
