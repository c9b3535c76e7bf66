//! `activityctl explain`

use chrono::NaiveDate;
use clap::{Args, ValueEnum};
use proto::pipeline::v1::ExplainRequest;

use crate::{
    connect::{Connection, Patience, ServerArgs},
    days::parse_day,
    error::Error,
    format::{explanation::ExplanationJson, explanation_words::words, json},
    output::Output,
};

const EXAMPLES: &str = "\
Says why a number is what it is: the rule of each column, the records that it is made of
and where they stand (landed file, line, and page of the product API's answer), the CRM
export that describes the company, and when the row changed, by which run and why. What
is published is compared with what is staged; the product API is not asked.

A company-day without a row is explained as well. Paths are relative to the landing, to
the CRM's folder and to its archive. json is one object with the same content.

Examples:
  activityctl explain acme --date 2026-02-12
  activityctl explain acme --date 2026-02-12 --format json | jq '.changes[0].reasons'
  activityctl explain acme --date 2026-02-12 --format json |
    jq -r '.days[] | select(.record) | [.date, .fetch.landing_path, .lines[-1].line] | @tsv'";

/// Explain a company's numbers on one day: rules, records, files and changes
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExplainArgs {
    /// The company's identifier
    #[arg(value_name = "COMPANY")]
    company_id: String,

    /// The UTC day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: NaiveDate,

    /// How to print it
    #[arg(long, value_enum, default_value_t = ExplanationFormat::Words)]
    format: ExplanationFormat,

    #[command(flatten)]
    server: ServerArgs,
}

/// How an explanation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExplanationFormat {
    /// For people
    Words,
    /// One JSON object
    Json,
}

/// Prints the explanation of a company-day.
///
/// # Errors
/// If the server refuses or the result cannot be written.
pub async fn execute(args: &ExplainArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let request =
        ExplainRequest { company_id: args.company_id.clone(), activity_date: args.date.to_string() };
    let answer = connection.pipeline().explain(request).await;
    let answer = answer.map_err(|status| connection.failure_of("Explain", status))?;
    let explanation = answer.into_inner().explanation.ok_or(Error::Contract("has no explanation"))?;
    match args.format {
        ExplanationFormat::Words => output.line(words(&explanation).trim_end()),
        ExplanationFormat::Json => {
            json::write_line(output.writer(), &ExplanationJson::from(&explanation))?;
            output.flush()
        }
    }
}
