//! `activityctl days`

use chrono::NaiveDate;
use clap::Args;
use proto::activity::v1::ListPublishedDaysRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{ListFormat, json, published_days, table},
    output::{NOT_PUBLISHED, Output, notice},
};

const EXAMPLES: &str = "\
A day has no totals if the release that published it did not sum up; `activityctl maintain` does.
At most 400 days are listed at once.

Examples:
  activityctl days
  activityctl days --from 2026-01-01 --to 2026-01-31
  activityctl days --format json | jq 'select(.churn_risks > 100)'";

/// List published days with their totals and checksums
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DaysArgs {
    /// The first UTC day [default: 59 days before the last]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    from: Option<NaiveDate>,

    /// The last UTC day, included [default: the newest published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    to: Option<NaiveDate>,

    /// How to print them
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// Lists published days.
///
/// # Errors
/// If the server refuses or the days cannot be written.
pub async fn execute(args: &DaysArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let text = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
    let request = ListPublishedDaysRequest { start_date: text(args.from), end_date: text(args.to) };
    let listed = connection.activity().list_published_days(request).await;
    let days = listed.map_err(|status| connection.failure(status))?.into_inner().days;
    if days.is_empty() {
        notice(NOT_PUBLISHED);
    }
    match args.format {
        ListFormat::Table => output.table(table::published_days(&days))?,
        ListFormat::Json => {
            for day in &days {
                json::write_line(output.writer(), &published_days::PublishedDayRecord::from(day))?;
            }
        }
        ListFormat::Csv => published_days::write_csv(output.writer(), &days)?,
    }
    output.flush()
}
