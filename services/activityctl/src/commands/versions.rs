//! `activityctl versions`

use clap::Args;
use proto::provenance::v1::{CompanyVersion, ListCompanyVersionsRequest};

use crate::{
    connect::{Connection, Patience, ServerArgs},
    error::Error,
    format::{Format, json, provenance::VersionJson, table},
    output::Output,
};

/// The most versions per page that the server allows.
const MAX_PAGE: i32 = 1_000;

const EXAMPLES: &str = "\
A version is what the CRM's snapshots say from one day to another. UNREADABLE names the
columns that could not be read in its first export and so stayed as they were.

--format json prints one JSON object a line (NDJSON).

Examples:
  activityctl versions acme
  activityctl versions acme --format json | jq -r '[.effective_from, .company_name] | @tsv'";

/// List what the CRM has said about a company, the newest version first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VersionsArgs {
    /// The company's identifier
    #[arg(value_name = "COMPANY")]
    company_id: String,

    /// At most this many versions
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    #[command(flatten)]
    server: ServerArgs,
}

/// Lists a company's versions.
///
/// # Errors
/// If the server refuses.
pub async fn execute(args: &VersionsArgs, output: &mut Output) -> Result<(), Error> {
    let connection = Connection::open(&args.server, Patience::Person).await?;
    let versions = newest(&connection, args).await?;
    match args.format {
        Format::Table => output.table(table::company_versions(&versions))?,
        Format::Json => {
            for version in &versions {
                json::write_line(output.writer(), &VersionJson::from(version))?;
            }
        }
    }
    output.flush()
}

async fn newest(connection: &Connection, args: &VersionsArgs) -> Result<Vec<CompanyVersion>, Error> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut request = ListCompanyVersionsRequest {
        company_id: args.company_id.clone(),
        page_size: i32::try_from(limit).unwrap_or(MAX_PAGE).min(MAX_PAGE),
        page_token: String::new(),
    };
    let mut versions = Vec::new();
    loop {
        let page = connection.provenance().list_company_versions(request.clone()).await;
        let page = page.map_err(|status| connection.failure_of("ListCompanyVersions", status))?.into_inner();
        versions.extend(page.versions);
        request.page_token = page.next_page_token;
        if versions.len() >= limit || request.page_token.is_empty() {
            versions.truncate(limit);
            return Ok(versions);
        }
    }
}
