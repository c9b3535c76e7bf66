//! `activityctl deliveries`

use chrono::NaiveDate;
use clap::Args;
use proto::provenance::v1::{GetDaySourcesRequest, GetDaySourcesResponse};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{Format, json, provenance::DaySourcesJson, table},
    output::Output,
};

const EXAMPLES: &str = "\
Names what one day is made of, as it is on record: the product API's newest answer for it,
the CRM's export that counts on it, and the event files that hold its events (the last 100).
Paths are relative to the landing and to the sources. No source is asked.

json is one object, also with the pages of the answer and the copies of the export in the
archive.

Examples:
  activityctl deliveries --date 2026-02-12
  activityctl deliveries --date 2026-02-12 --format json | jq -r .usage.landing_path";

/// Show which files and answers one day is made of
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeliveriesArgs {
    /// The UTC day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: NaiveDate,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Prints the deliveries of a day.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &DeliveriesArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let date = args.date.to_string();
    let request = GetDaySourcesRequest { activity_date: date.clone() };
    let sources = connection.provenance().get_day_sources(request).await;
    let sources = sources.map_err(|status| connection.failure_of("GetDaySources", status))?.into_inner();
    match args.format {
        Format::Json => json::write_line(output.writer(), &DaySourcesJson::new(&date, &sources))?,
        Format::Table if sources == GetDaySourcesResponse::default() => {
            output.line(format_args!("nothing is staged that {date} could be made of"))?;
        }
        Format::Table => output.table(table::day_sources(&sources))?,
    }
    output.flush()
}
