//! `activityctl activity get` and `activityctl activity list`

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use proto::activity::v1::{
    CompanyActivity, ExportCompanyActivityRequest, GetCompanyActivityRequest, Publication,
};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::{DayRangeArgs, parse_day},
    error::Error,
    format::{Format, RowFormat, csv::CsvRows, json, table},
    output::{NOT_PUBLISHED, Output, notice},
};

/// Rows that a table shows by default.
const TABLE_ROWS: u64 = 50;

const EXAMPLES: &str = "\
Examples:
  activityctl activity get acme --date 2026-02-12
  activityctl activity list --company acme --from 2026-02-01 --to 2026-02-12
  activityctl activity list --from 2026-01-01 --to 2026-01-31 --format csv > january.csv";

/// Ask what companies did, from published data only
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct ActivityArgs {
    #[command(subcommand)]
    command: ActivityCommand,

    #[command(flatten)]
    server: ServerArgs,
}

#[derive(Debug, Subcommand)]
enum ActivityCommand {
    Get(GetArgs),
    List(ListArgs),
}

const GET_EXAMPLES: &str = "\
Examples:
  activityctl activity get acme
  activityctl activity get acme --date 2026-02-12 --format json";

/// Show one company on one day, and which run published it
#[derive(Debug, Args)]
#[command(after_help = GET_EXAMPLES)]
struct GetArgs {
    /// The company's identifier
    #[arg(value_name = "COMPANY")]
    company_id: String,

    /// The UTC day [default: the newest published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: Option<NaiveDate>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

const LIST_EXAMPLES: &str = "\
csv has the fact's 13 columns in their order under a header; an empty field is NULL,
times are RFC 3339 in UTC. json is one object a line (NDJSON) with the same columns, and the
publication of the row's day. Both stream all rows, as many as there are, from one
consistent state. --as-of reads that state again as the run left it, for as long as history
is kept (`activityctl maintain --keep-history-days`).

Examples:
  activityctl activity list
  activityctl activity list --company acme --from 2026-02-01 --to 2026-02-12
  activityctl activity list --from 2026-01-01 --to 2026-01-31 --format csv > january.csv
  activityctl activity list --company acme --date 2026-02-12 --as-of 019e8e6d-36a5-7cbd-8c5c-9d3f3c1f9a10
  activityctl activity list --date 2026-02-12 --format json | jq 'select(.is_churn_risk)'";

/// List rows by company, then day
///
/// Without days: the newest published day.
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
struct ListArgs {
    /// Only this company [default: all]
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,

    #[command(flatten)]
    days: DayRangeArgs,

    /// As this run's publish left them [default: as they are now]
    #[arg(long, value_name = "RUN_ID")]
    as_of: Option<String>,

    /// At most this many rows [default: 50 in a table, else all]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// How to print them
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,
}

/// Prints one row or lists many.
///
/// # Errors
/// If the server refuses or the rows cannot be written.
pub async fn execute(args: &ActivityArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    match &args.command {
        ActivityCommand::Get(get) => print_one(&connection, get, output).await,
        ActivityCommand::List(list) => print_many(&connection, list, output).await,
    }
}

async fn print_one(connection: &Connection, args: &GetArgs, output: &mut Output) -> Result<(), Error> {
    let request = GetCompanyActivityRequest {
        company_id: args.company_id.clone(),
        activity_date: args.date.map(|day| day.to_string()).unwrap_or_default(),
    };
    let response = connection.activity().get_company_activity(request).await;
    let response = response.map_err(|status| connection.failure(status))?.into_inner();
    let row = response.activity.ok_or(Error::Contract("has no row"))?;
    let publication = response.publication.as_ref();
    match args.format {
        Format::Table => output.table(table::activity(&row, publication))?,
        Format::Json => {
            json::write_line(output.writer(), &json::PublishedActivityJson::new(&row, publication))?;
        }
    }
    output.flush()
}

async fn print_many(connection: &Connection, args: &ListArgs, output: &mut Output) -> Result<(), Error> {
    let window = args.days.window()?;
    let request = ExportCompanyActivityRequest {
        company_id: args.company.clone().unwrap_or_default(),
        start_date: window.map(|days| days.start().to_string()).unwrap_or_default(),
        end_date: window.map(|days| days.end().to_string()).unwrap_or_default(),
        as_of_run_id: args.as_of.clone().unwrap_or_default(),
    };
    let limit = args.limit.unwrap_or(if args.format == RowFormat::Table { TABLE_ROWS } else { u64::MAX });
    let outcome = match args.format {
        RowFormat::Csv => {
            let mut csv = CsvRows::new(output.writer())?;
            let outcome = export(connection, request, limit, |row, _| Ok(csv.write(&row)?)).await?;
            csv.flush()?;
            outcome
        }
        RowFormat::Json => {
            let writer = output.writer();
            let write = |row: CompanyActivity, publication: Option<&Publication>| {
                json::write_line(&mut *writer, &json::PublishedActivityJson::new(&row, publication))
            };
            let outcome = export(connection, request, limit, write).await?;
            writer.flush()?;
            outcome
        }
        RowFormat::Table => {
            let first = rows(connection, request, limit).await?;
            output.table(table::activities(&first.rows))?;
            if first.exported.more {
                notice(format_args!("only the first {limit} rows; see --limit, or --format csv for all"));
            }
            first.exported
        }
    };
    if let Some(run_id) = &outcome.left_by {
        notice(format_args!("as run {run_id} left it: --as-of {run_id} shows that again"));
    }
    if !outcome.is_published {
        notice(NOT_PUBLISHED);
    }
    Ok(())
}

/// The first rows of a range.
#[derive(Debug)]
pub struct FirstRows {
    /// The rows, in order.
    pub rows: Vec<CompanyActivity>,
    /// The rest of the export's answer.
    pub exported: Exported,
}

/// What an export reports besides its rows.
#[derive(Debug, Clone, Default)]
pub struct Exported {
    /// Whether more rows follow.
    pub more: bool,
    /// Whether any of the requested days is published.
    pub is_published: bool,
    /// The run that left the state that was read.
    pub left_by: Option<String>,
}

/// Reads up to `limit` rows of a range.
///
/// # Errors
/// If the server refuses.
pub async fn rows(
    connection: &Connection,
    request: ExportCompanyActivityRequest,
    limit: u64,
) -> Result<FirstRows, Error> {
    let mut rows = Vec::new();
    let exported = export(connection, request, limit, |row, _| {
        rows.push(row);
        Ok(())
    })
    .await?;
    Ok(FirstRows { rows, exported })
}

/// Passes up to `limit` rows to `write` as they arrive, each with the publication of its day.
async fn export(
    connection: &Connection,
    request: ExportCompanyActivityRequest,
    limit: u64,
    mut write: impl FnMut(CompanyActivity, Option<&Publication>) -> Result<(), Error>,
) -> Result<Exported, Error> {
    let failure = |status| connection.failure(status);
    let mut is_pinned = request.as_of_run_id.is_empty();
    let mut publications = BTreeMap::new();
    let mut batches =
        connection.activity().export_company_activity(request).await.map_err(failure)?.into_inner();
    let mut left = limit;
    let mut exported = Exported::default();
    while let Some(batch) = batches.message().await.map_err(failure)? {
        exported.is_published |= batch.publication.is_some();
        is_pinned |= !batch.as_of_run_id.is_empty();
        if !is_pinned {
            // A server that does not know the field shows what is published now.
            return Err(Error::Contract("does not say as of which run it is"));
        }
        if !batch.as_of_run_id.is_empty() {
            exported.left_by = Some(batch.as_of_run_id);
        }
        for entry in batch.publications {
            publications.insert(entry.activity_date.clone(), entry);
        }
        for row in batch.activities {
            if left == 0 {
                exported.more = true;
                return Ok(exported);
            }
            left -= 1;
            let publication = publications.get(&row.activity_date);
            write(row, publication)?;
        }
    }
    Ok(exported)
}
