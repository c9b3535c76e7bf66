//! `activityctl companies`

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use proto::activity::v1::{CompanyActivity, CompanyOrder, Publication, SearchCompaniesRequest};
use tonic::Code;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{RowFormat, csv::CsvRows, json, table},
    output::{NOT_PUBLISHED, Output, notice},
};

/// The most companies per page that the server allows.
const MAX_PAGE: u64 = 1000;

const EXAMPLES: &str = "\
Every word has to be in the identifier or the name, in any order; the letters A to Z match in
either case, and every other character as it is. Companies without a value to order by come last,
also with --descending.

csv has the fact's 13 columns in their order under a header; an empty field is NULL, times are
RFC 3339 in UTC. json is one object a line (NDJSON) with the same columns.

Examples:
  activityctl companies acme
  activityctl companies --country SG --at-risk
  activityctl companies --order events --descending --limit 10
  activityctl companies --industry '' --format csv > without-industry.csv";

/// Search the companies of one day
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompaniesArgs {
    /// Words that the identifier or the name holds [default: all companies]
    #[arg(value_name = "WORDS")]
    words: Vec<String>,

    /// Only of this country, as the CRM spells it; '' for those without
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,

    /// Only of this industry, as the CRM spells it; '' for those without
    #[arg(long, value_name = "INDUSTRY")]
    industry: Option<String>,

    /// Only those at risk of churn
    #[arg(long)]
    at_risk: bool,

    /// How they are ordered
    #[arg(long, value_enum, default_value_t = Order::Company)]
    order: Order,

    /// The greatest first
    #[arg(long)]
    descending: bool,

    /// The UTC day [default: the newest published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: Option<NaiveDate>,

    /// At most this many companies
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// How to print them
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// An order of companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// By identifier
    Company,
    /// By name
    Name,
    /// By events of the day
    Events,
    /// By active users of the last seven days
    Users,
    /// By days since the last contact
    Contact,
}

impl Order {
    const fn to_proto(self) -> CompanyOrder {
        match self {
            Self::Company => CompanyOrder::CompanyId,
            Self::Name => CompanyOrder::Name,
            Self::Events => CompanyOrder::Events,
            Self::Users => CompanyOrder::ActiveUsers7d,
            Self::Contact => CompanyOrder::DaysSinceLastContact,
        }
    }
}

/// Searches companies.
///
/// # Errors
/// If the server refuses or the rows cannot be written.
pub async fn execute(args: &CompaniesArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let Found { rows, publication, total } = search(&connection, &request(args), args.limit).await?;
    if publication.is_none() {
        notice(NOT_PUBLISHED);
    }
    match args.format {
        RowFormat::Csv => {
            let mut csv = CsvRows::new(output.writer())?;
            for row in &rows {
                csv.write(row)?;
            }
            csv.flush()?;
        }
        RowFormat::Json => {
            for row in &rows {
                json::write_line(output.writer(), &json::ActivityJson::from(row))?;
            }
        }
        RowFormat::Table => output.table(table::activities(&rows))?,
    }
    if let Some(publication) = publication {
        notice(format_args!(
            "{} of {total} companies on {}, as published by run {}",
            rows.len(),
            publication.activity_date,
            publication.run_id
        ));
    }
    output.flush()
}

fn request(args: &CompaniesArgs) -> SearchCompaniesRequest {
    SearchCompaniesRequest {
        activity_date: args.date.map(|day| day.to_string()).unwrap_or_default(),
        text: args.words.join(" "),
        country: args.country.clone(),
        industry_tag: args.industry.clone(),
        only_churn_risks: args.at_risk,
        order: args.order.to_proto().into(),
        descending: args.descending,
        page_size: i32::try_from(args.limit.min(MAX_PAGE)).unwrap_or(i32::MAX),
        page_token: String::new(),
    }
}

/// What was found.
struct Found {
    rows: Vec<CompanyActivity>,
    publication: Option<Publication>,
    total: i64,
}

/// Up to `limit` companies, from one state.
async fn search(connection: &Connection, first: &SearchCompaniesRequest, limit: u64) -> Result<Found, Error> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut rows, mut request) = (Vec::new(), first.clone());
    loop {
        let page = match connection.activity().search_companies(request.clone()).await {
            Ok(page) => page.into_inner(),
            // A publish came in between of two pages: the list begins again.
            Err(status) if status.code() == Code::Aborted && !rows.is_empty() => {
                rows.clear();
                request = first.clone();
                continue;
            }
            Err(status) => return Err(connection.failure(status)),
        };
        rows.extend(page.activities);
        if rows.len() >= wanted || page.next_page_token.is_empty() {
            rows.truncate(wanted);
            return Ok(Found { rows, publication: page.publication, total: page.total_companies });
        }
        request.page_token = page.next_page_token;
    }
}
