//! `activityctl churn`

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use proto::activity::v1::{ChurnChange, ChurnRisk, ListChurnRisksRequest, Publication};
use tonic::Code;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{RowFormat, csv::CsvChurnRisks, json, table},
    output::{NOT_PUBLISHED, Output, notice},
};

/// The most risks per page that the server allows.
const MAX_PAGE: u32 = 1000;

/// Companies that are printed by default, unless as CSV.
const SHOWN: u32 = 20;

const EXAMPLES: &str = "\
A company is at risk on a day if neither that day nor the 13 before hold any event.
--change compares with the day before: new ones were not at risk then, still ones were, and
recovered ones were and are not any more. --format json prints one JSON object a line (NDJSON).
csv has the fact's columns under a header, then last_event_date; an empty field is NULL, times are
RFC 3339 in UTC.

Examples:
  activityctl churn
  activityctl churn --change new --country SG
  activityctl churn --date 2026-02-12 --limit 100
  activityctl churn --format csv > at-risk.csv
  activityctl churn --format json | jq -r .company_id";

/// List the companies at risk of churn, the most recently active first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ChurnArgs {
    /// The UTC day [default: the newest published one]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: Option<NaiveDate>,

    /// Only those whose risk has changed so since the day before
    #[arg(long, value_enum, value_name = "CHANGE")]
    change: Option<Change>,

    /// Only of this country, as the CRM spells it; '' for those without
    #[arg(long, value_name = "COUNTRY")]
    country: Option<String>,

    /// Only of this industry, as the CRM spells it; '' for those without
    #[arg(long, value_name = "INDUSTRY")]
    industry: Option<String>,

    /// At most this many companies [default: 20, all as CSV]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,

    /// How to print them
    #[arg(long, value_enum, default_value_t = RowFormat::Table)]
    format: RowFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// How a risk has changed since the day before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Change {
    /// At risk, and not the day before
    New,
    /// At risk on both days
    Still,
    /// Not at risk any more
    Recovered,
}

impl ChurnArgs {
    fn request(&self) -> ListChurnRisksRequest {
        let change = match self.change {
            None => ChurnChange::Unspecified,
            Some(Change::New) => ChurnChange::New,
            Some(Change::Still) => ChurnChange::Still,
            Some(Change::Recovered) => ChurnChange::Recovered,
        };
        ListChurnRisksRequest {
            change: change.into(),
            country: self.country.clone(),
            industry_tag: self.industry.clone(),
            ..of_day(self.date)
        }
    }
}

/// Asks for all risks of a day.
#[must_use]
pub fn of_day(date: Option<NaiveDate>) -> ListChurnRisksRequest {
    ListChurnRisksRequest {
        activity_date: date.map(|day| day.to_string()).unwrap_or_default(),
        ..ListChurnRisksRequest::default()
    }
}

/// Lists churn risks.
///
/// # Errors
/// If the server refuses or the rows cannot be written.
pub async fn execute(args: &ChurnArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    show(&connection, args, output).await
}

/// Lists churn risks of a server.
///
/// # Errors
/// If the server refuses or the rows cannot be written.
pub async fn show(connection: &Connection, args: &ChurnArgs, output: &mut Output) -> Result<(), Error> {
    let limit = args.limit.unwrap_or(if args.format == RowFormat::Csv { u32::MAX } else { SHOWN });
    let (risks, publication) = churn_risks(connection, args.request(), limit).await?;
    if publication.is_none() {
        notice(NOT_PUBLISHED);
    }
    match args.format {
        RowFormat::Table => {
            output.table(table::churn_risks(&risks))?;
            if let Some(publication) = publication {
                notice(format_args!(
                    "{} as published by run {}",
                    publication.activity_date, publication.run_id
                ));
            }
        }
        RowFormat::Csv => {
            let mut csv = CsvChurnRisks::new(output.writer())?;
            risks.iter().try_for_each(|risk| csv.write(risk))?;
            csv.flush()?;
        }
        RowFormat::Json => {
            for risk in risks.iter().filter_map(json::ChurnRiskJson::new) {
                json::write_line(output.writer(), &risk)?;
            }
        }
    }
    output.flush()
}

/// Whether a company is none of those that were asked for: servers of the release before do not know
/// these fields, and list all that are at risk. Of one that is, nobody sees since when.
fn contradicts(request: &ListChurnRisksRequest, risk: &ChurnRisk) -> bool {
    let Some(row) = &risk.activity else { return false };
    let is_other = |asked: &Option<String>, found: &Option<String>| {
        asked.as_ref().is_some_and(|asked| asked != found.as_deref().unwrap_or_default())
    };
    is_other(&request.country, &row.country)
        || is_other(&request.industry_tag, &row.industry_tag)
        || (request.change() == ChurnChange::Recovered && row.is_churn_risk)
}

/// Up to `limit` churn risks of the first page's request, and who published the day.
///
/// # Errors
/// If the server refuses.
pub async fn churn_risks(
    connection: &Connection,
    first: ListChurnRisksRequest,
    limit: u32,
) -> Result<(Vec<ChurnRisk>, Option<Publication>), Error> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut risks = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListChurnRisksRequest {
            page_size: i32::try_from(limit.min(MAX_PAGE)).unwrap_or(i32::MAX),
            page_token,
            ..first.clone()
        };
        let page = match connection.activity().list_churn_risks(request).await {
            Ok(page) => page.into_inner(),
            // A publish came in between of two pages: the list begins again.
            Err(status) if status.code() == Code::Aborted && !risks.is_empty() => {
                risks.clear();
                page_token = String::new();
                continue;
            }
            Err(status) => return Err(connection.failure(status)),
        };
        if page.churn_risks.iter().any(|risk| contradicts(&first, risk)) {
            let server = connection.server().to_owned();
            return Err(Error::OlderCoordinator { server, call: "filter of churn risks" });
        }
        risks.extend(page.churn_risks);
        page_token = page.next_page_token;
        if risks.len() >= wanted || page_token.is_empty() {
            risks.truncate(wanted);
            return Ok((risks, page.publication));
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::activity::v1::CompanyActivity;

    use super::*;

    #[test]
    fn a_server_that_does_not_know_a_filter_is_noticed() {
        let activity =
            CompanyActivity { country: Some("SG".into()), is_churn_risk: true, ..CompanyActivity::default() };
        let risk = ChurnRisk { activity: Some(activity), ..ChurnRisk::default() };
        let asked = |change: ChurnChange, country: Option<&str>, industry_tag: Option<&str>| {
            let (country, industry_tag) = (country.map(str::to_owned), industry_tag.map(str::to_owned));
            ListChurnRisksRequest { change: change.into(), country, industry_tag, ..of_day(None) }
        };
        for (request, expected) in [
            (asked(ChurnChange::Unspecified, None, None), false),
            (asked(ChurnChange::New, Some("SG"), Some("")), false),
            (asked(ChurnChange::Unspecified, Some("DE"), None), true),
            (asked(ChurnChange::Unspecified, None, Some("retail")), true),
            (asked(ChurnChange::Recovered, None, None), true),
        ] {
            assert_eq!(contradicts(&request, &risk), expected, "{request:?}");
        }
    }
}
