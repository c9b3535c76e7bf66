//! `activityctl freshness`

use clap::Args;
use proto::activity::v1::GetFreshnessRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{Format, json, table},
    output::Output,
};

const EXAMPLES: &str = "\
Examples:
  activityctl freshness
  activityctl freshness --format json | jq .days_behind";

/// Show through which day data is published, and how far behind yesterday that is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct FreshnessArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the freshness.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &FreshnessArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let response = connection.activity().get_freshness(GetFreshnessRequest {}).await;
    let freshness = response.map_err(|status| connection.failure(status))?.into_inner();
    match args.format {
        Format::Json => json::write_line(output.writer(), &json::FreshnessJson::from(&freshness))?,
        Format::Table if freshness.newest.is_some() => output.table(table::freshness(&freshness))?,
        Format::Table => output.line("nothing is published yet; start with `activityctl trigger --wait`")?,
    }
    output.flush()
}
