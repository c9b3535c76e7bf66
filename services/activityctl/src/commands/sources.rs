//! `activityctl sources`

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use chrono::{Days, NaiveDate};
use clap::{Args, Subcommand};
use ingest_api::ApiInspection;
use ingest_crm::{CrmInspection, InspectedExport};
use runtime::{Clock, SystemClock};
use serde::Serialize;
use url::Url;

use crate::{
    days::parse_day,
    error::Error,
    format::json,
    output::{Output, printable},
    standalone::DataFolderArgs,
};

const EXAMPLES: &str = "\
Reads the beginning of the newest CRM export, and the first page of one day from the
product API, under the same settings as `activityctl standalone`. Shows what was
understood, what is missing, and which setting would mend it. Writes nothing.

Exit codes: 0 a run could work with both, 1 it could not, 2 wrong usage.

Examples:
  activityctl sources check --crm-url file:///exports/ \\
      --product-api-url https://api.example.com/v1/product-usage
  activityctl sources check --data-dir ./data --crm-columns-preset hubspot \\
      --product-api-url URL --date 2026-02-12
  activityctl sources check --data-dir ./data --product-api-url URL --json | jq .crm";

/// Look at the sources of a run
#[derive(Debug, Args)]
pub struct SourcesArgs {
    #[command(subcommand)]
    command: SourcesCommand,
}

#[derive(Debug, Subcommand)]
enum SourcesCommand {
    Check(Box<CheckArgs>),
}

const DATA_DIR_HELP: &str =
    "The data folder of `activityctl standalone`, whose crm/daily/ is read without --crm-url";

/// Show what is understood of both sources, and which setting would mend the rest
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("data_dir", |data_dir| data_dir.help(DATA_DIR_HELP)))]
pub struct CheckArgs {
    /// The UTC day to ask the product API for [default: yesterday]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    date: Option<NaiveDate>,

    #[command(flatten)]
    data: DataFolderArgs,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten, next_help_heading = "CRM exports")]
    ingest_crm: ingest_crm::Options,

    #[command(flatten, next_help_heading = "Product API")]
    ingest_api: ingest_api::Options,
}

/// Both sources, each with its inspection or the reason there is none.
#[derive(Debug, Serialize)]
struct Report {
    crm: Source<CrmInspection>,
    product_api: Source<ApiInspection>,
    notes: Vec<String>,
    is_usable: bool,
}

#[derive(Debug, Serialize)]
struct Source<T> {
    #[serde(flatten)]
    inspection: Option<T>,
    problems: Vec<String>,
}

impl<T> Source<T> {
    fn new(outcome: anyhow::Result<T>, problems: impl Fn(&T) -> Vec<String>) -> Self {
        match outcome {
            Ok(inspection) => Self { problems: problems(&inspection), inspection: Some(inspection) },
            Err(error) => Self { inspection: None, problems: vec![format!("{error:#}")] },
        }
    }
}

/// Inspects the sources, as of now.
///
/// # Errors
/// As [`check`].
pub async fn execute(args: &SourcesArgs, output: &mut Output) -> Result<(), Error> {
    let SourcesCommand::Check(args) = &args.command;
    check(args, Arc::new(SystemClock), output).await
}

/// Inspects the sources, as of `clock`'s time.
///
/// # Errors
/// If a run could not work with them, or the output cannot be written.
pub async fn check(args: &CheckArgs, clock: Arc<dyn Clock>, output: &mut Output) -> Result<(), Error> {
    let day = match args.date {
        Some(day) => day,
        None => {
            clock.now().date_naive().checked_sub_days(Days::new(1)).context("there is no day before today")?
        }
    };
    let mut crm = args.ingest_crm.clone();
    if let (None, Some(folder)) = (&crm.crm_url, &args.data.data_dir) {
        crm.crm_url = Some(exports_in(folder)?);
    }
    let crm = Source::new(ingest_crm::inspect(&crm).await, crm_problems);
    let api = Source::new(ingest_api::inspect(&args.ingest_api, clock, day).await, api_problems);
    let report = Report {
        notes: strangers(&crm, &api).into_iter().collect(),
        is_usable: crm.problems.is_empty() && api.problems.is_empty(),
        crm,
        product_api: api,
    };
    if args.json {
        json::write_line(output.writer(), &report)?;
    } else {
        report.report(output)?;
    }
    output.flush()?;
    report.verdict()
}

fn exports_in(data_dir: &Path) -> Result<String, Error> {
    let shown = data_dir.display();
    let root = data_dir.canonicalize().with_context(|| format!("cannot open the data folder {shown}"))?;
    let url = Url::from_directory_path(root.join("crm/daily"));
    Ok(url.map_err(|()| anyhow::anyhow!("the data folder {shown} has no URL"))?.to_string())
}

fn crm_problems(crm: &CrmInspection) -> Vec<String> {
    let problem = |export: &InspectedExport| Some(format!("{}: {}", export.path, export.problem.as_ref()?));
    crm.newest.iter().filter_map(problem).collect()
}

fn api_problems(api: &ApiInspection) -> Vec<String> {
    api.problem.iter().cloned().collect()
}

/// A remark if the sources share no company, which points to a wrong identifier column.
fn strangers(crm: &Source<CrmInspection>, api: &Source<ApiInspection>) -> Option<String> {
    let export = crm.inspection.as_ref()?.newest.as_ref()?;
    let api = api.inspection.as_ref()?;
    let are_known = !export.company_ids.is_empty() && !api.company_ids.is_empty();
    (are_known && export.is_whole && export.company_ids.is_disjoint(&api.company_ids)).then(|| {
        "no company of the product API's page is in the CRM export: if they should be, another column holds \
         their identifiers; name it with --crm-columns company_id=\"...\""
            .to_owned()
    })
}

impl Report {
    fn report(&self, output: &mut Output) -> Result<(), Error> {
        output.line("CRM exports")?;
        if let Some(crm) = &self.crm.inspection {
            report_crm(crm, output)?;
        }
        report_all("problem", &self.crm.problems, output)?;
        output.line("Product API")?;
        if let Some(api) = &self.product_api.inspection {
            report_api(api, output)?;
        }
        report_all("problem", &self.product_api.problems, output)?;
        report_all("note", &self.notes, output)
    }

    fn verdict(&self) -> Result<(), Error> {
        let sources =
            [("the CRM export", &self.crm.problems), ("the product API", &self.product_api.problems)];
        let unusable: Vec<&str> =
            sources.iter().filter(|(_, problems)| !problems.is_empty()).map(|(name, _)| *name).collect();
        if unusable.is_empty() { Ok(()) } else { Err(Error::SourcesUnusable(unusable.join(" and "))) }
    }
}

fn report(name: &str, value: &str, output: &mut Output) -> Result<(), Error> {
    output.line(format_args!("  {name:<12} {}", printable(value)))
}

fn report_all(name: &str, values: &[String], output: &mut Output) -> Result<(), Error> {
    values.iter().try_for_each(|value| report(name, value, output))
}

fn report_crm(crm: &CrmInspection, output: &mut Output) -> Result<(), Error> {
    report("location", &format!("{}, {} files", crm.location, crm.exports), output)?;
    let Some(export) = &crm.newest else {
        return report(
            "note",
            "there is no CRM export (*.csv) here: companies would stay as they are known so far",
            output,
        );
    };
    report("newest", &format!("{} ({} bytes)", export.path, export.bytes), output)?;
    if let Some(day) = export.effective_on {
        report("counts from", &day.to_string(), output)?;
    }
    report("encoding", export.encoding, output)?;
    if let Some(delimiter) = export.delimiter {
        report("delimiter", &format!("{delimiter:?}"), output)?;
    }
    for column in &export.columns {
        let heading = column.heading.as_ref().map_or("none".to_owned(), |heading| format!("{heading:?}"));
        report("column", &format!("{} <- {heading}", column.column), output)?;
    }
    if !export.ignored.is_empty() {
        report("not read", &export.ignored.join(", "), output)?;
    }
    let part = if export.is_whole { "" } else { " in the first part of it" };
    let (rows, partial, rejected) = (export.rows, export.partial, export.rejected);
    report("rows", &format!("{rows}{part}, {partial} with unreadable fields, {rejected} rejected"), output)?;
    for row in &export.sample {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let contact = row.last_contact_at.map_or("-".to_owned(), |at| at.to_rfc3339());
        let cells =
            [row.company_id.clone(), text(&row.name), text(&row.country), text(&row.industry_tag), contact];
        report("sample", &cells.join(" | "), output)?;
    }
    report_all("reason", &export.reasons, output)?;
    report_all("note", &export.notes, output)
}

fn report_api(api: &ApiInspection, output: &mut Output) -> Result<(), Error> {
    let (records, rejected) = (api.records, api.rejected);
    report("day", &api.day.to_string(), output)?;
    let asked = api.page_size;
    report("first page", &format!("{records} records of up to {asked}, {rejected} rejected"), output)?;
    for row in &api.sample {
        let cells =
            format!("{} | {} | {} users | {} events", row.company_id, row.date, row.active_users, row.events);
        report("sample", &cells, output)?;
    }
    report_all("reason", &api.reasons, output)?;
    if records == 0 {
        report("note", "there is no usage on this day; name a day that has some with --date", output)?;
    }
    Ok(())
}
