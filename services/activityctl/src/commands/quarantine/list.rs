//! `activityctl quarantine list` and `show`

use clap::{Args, ValueEnum};
use proto::quarantine::v1::{GetQuarantinedRowRequest, QuarantineGrouping};

use super::{
    filter::{FilterArgs, StateChoice},
    rows::{counts, failure, rows},
};
use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{
        Format, ListFormat, json,
        quarantine::{QuarantineCountRecord, QuarantinedRowRecord, write_csv},
        table,
    },
    output::{Output, notice},
};

const LIST_EXAMPLES: &str = "\
Without --state only rows are listed that nobody has accepted. CSV and JSON have the rows'
text; a table does not, `show` prints it.

Examples:
  activityctl quarantine list --by reason
  activityctl quarantine list --by origin --stage act_copy_crm_csv
  activityctl quarantine list --origin crm/companies_2026-02-12.csv --reason field
  activityctl quarantine list --state accepted --format json | jq -r .accepted_by";

/// List rows that could not be used, or count them
#[derive(Debug, Args)]
#[command(after_help = LIST_EXAMPLES)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,

    /// Whether somebody has accepted them
    #[arg(long, value_enum, default_value_t = StateChoice::Open)]
    state: StateChoice,

    /// Count them by this instead of listing them
    #[arg(long, value_enum)]
    by: Option<Grouping>,

    /// At most this many rows or groups
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Grouping {
    /// Stage and kind of reason
    Reason,
    /// Stage, file and day
    Origin,
    /// Stage and day
    Day,
}

impl From<Grouping> for QuarantineGrouping {
    fn from(by: Grouping) -> Self {
        match by {
            Grouping::Reason => Self::Kind,
            Grouping::Origin => Self::Origin,
            Grouping::Day => Self::Day,
        }
    }
}

pub(super) async fn execute(args: &ListArgs, server: &ServerArgs, output: &mut Output) -> Result<(), Error> {
    let filter = args.filter.filter(args.state.into())?;
    let connection = Connection::open(server, Patience::Person).await?;
    let is_empty = if let Some(by) = args.by {
        let groups = counts(&connection, filter, by.into(), args.limit).await?;
        let records = groups.iter().map(QuarantineCountRecord::from);
        match args.format {
            ListFormat::Table if groups.is_empty() => {}
            ListFormat::Table => output.table(table::quarantine_counts(&groups))?,
            ListFormat::Csv => write_csv(output.writer(), records)?,
            ListFormat::Json => {
                for record in records {
                    json::write_line(output.writer(), &record)?;
                }
            }
        }
        groups.is_empty()
    } else {
        let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
        // One more than is shown, to say that there are more.
        let mut found = rows(&connection, filter, limit.saturating_add(1)).await?;
        if found.len() > limit {
            notice("there are more rows: ask with a greater --limit, or count them with --by");
            found.truncate(limit);
        }
        let records = found.iter().map(QuarantinedRowRecord::from);
        match args.format {
            ListFormat::Table if found.is_empty() => {}
            ListFormat::Table => output.table(table::quarantined_rows(&found))?,
            ListFormat::Csv => write_csv(output.writer(), records)?,
            ListFormat::Json => {
                for record in records {
                    json::write_line(output.writer(), &record)?;
                }
            }
        }
        found.is_empty()
    };
    if is_empty {
        notice("no such row is in quarantine");
    }
    output.flush()
}

const SHOW_EXAMPLES: &str = "\
Examples:
  activityctl quarantine show crm/companies_2026-02-12.csv 17
  activityctl quarantine show product_usage/2026-02-12/usage_2026-02-12.json 3 --format json | jq -r .raw";

/// Show one row with its text, its reason and who has accepted it
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub struct ShowArgs {
    /// The row's file, as `list` names it
    #[arg(value_name = "FILE")]
    origin: String,

    /// Its line
    #[arg(value_name = "LINE", value_parser = clap::value_parser!(u64).range(1..))]
    line: u64,

    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

pub(super) async fn show(args: &ShowArgs, server: &ServerArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(server, Patience::Person).await?;
    let request = GetQuarantinedRowRequest { origin: args.origin.clone(), line: args.line };
    let found = connection.quarantine().get_quarantined_row(request).await;
    let found = found.map_err(|status| failure(&connection, status))?.into_inner();
    let row = found.row.ok_or(Error::Contract("has no row"))?;
    match args.format {
        Format::Table => output.table(table::quarantined_row(&row))?,
        Format::Json => json::write_line(output.writer(), &QuarantinedRowRecord::from(&row))?,
    }
    output.flush()
}
