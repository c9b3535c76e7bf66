//! `activityctl sample` and `activityctl sample-api`

use std::{
    fs::File,
    io::BufReader,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use chrono::NaiveDate;
use clap::Args;
use sample_sources::{ApiOptions, PRODUCT_USAGE_PATH, UsageBook, World, WorldOptions, serve_api};
use secret::Secret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{days::parse_day, error::Error, output::Output};

const SAMPLE_EXAMPLES: &str = "\
Writes DIR/crm/daily/*.csv, one export a day as a CRM would write them, and
DIR/usage.ndjson, the records of the product API. Equal options write equal files.
Some rows are broken on purpose, as in real sources.

Examples:
  activityctl sample --out data
  activityctl sample-api --usage data/usage.ndjson &
  activityctl standalone --data-dir data --product-api-url http://127.0.0.1:8080/v1/product-usage &
  activityctl trigger --from 2026-01-01 --to 2026-03-01 --wait";

/// Write sample sources: CRM exports and product usage of invented companies
#[derive(Debug, Args)]
#[command(after_help = SAMPLE_EXAMPLES)]
pub struct SampleArgs {
    /// The folder to write to; created as needed, existing files are replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// How many companies there are
    #[arg(long, value_name = "N", default_value_t = 200)]
    companies: usize,

    /// How many days have data
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,

    /// The first day with data
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, default_value = "2026-01-01")]
    first_day: NaiveDate,

    /// The source of all randomness: another seed, another world
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Writes sample sources.
///
/// # Errors
/// If a file cannot be written.
pub fn write_sample(args: &SampleArgs, output: &mut Output) -> Result<(), Error> {
    let world = World::generate(WorldOptions {
        seed: args.seed,
        companies: args.companies,
        first_day: args.first_day,
        days: args.days,
        ..WorldOptions::default()
    });
    let files = world
        .write_to(&args.out, world.end())
        .with_context(|| format!("cannot write sample sources to {}", args.out.display()))?;
    output.line(format_args!("{}: {} CRM exports", files.crm_folder.display(), files.crm_exports))?;
    output.line(format_args!("{}: {} usage records", files.usage_file.display(), files.usage_records))
}

const API_EXAMPLES: &str = "\
Answers GET /v1/product-usage?start_date=..&end_date=..&page=..&page_size=..
with {\"data\": [...]}. FILE holds one JSON object a line, for example

  {\"company_id\": \"acme\", \"date\": \"2026-02-12\", \"active_users\": 5, \"events\": 50}

It is read into memory once, at the start. The first line on standard output is the URL
that is served, which tells the port if --listen asks for port 0. Ends on SIGINT, SIGTERM.

Examples:
  activityctl sample-api --usage data/usage.ndjson
  activityctl sample-api --usage mine.ndjson --listen 127.0.0.1:0 --token secret
  curl 'http://127.0.0.1:8080/v1/product-usage?start_date=2026-01-01&end_date=2026-01-01'";

/// Serve a file of usage records as the product API would
#[derive(Debug, Args)]
#[command(after_help = API_EXAMPLES)]
pub struct SampleApiArgs {
    /// The records, newline-delimited JSON
    #[arg(long, value_name = "FILE")]
    usage: PathBuf,

    /// Address to serve on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The bearer token that callers must send [default: none is asked for]
    #[arg(long, env = "SAMPLE_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<Secret>,

    /// Cut larger pages to this many records, as many APIs do [default: grant any]
    #[arg(long, value_name = "N")]
    max_page_size: Option<usize>,
}

/// Serves usage records until `shutdown`.
///
/// # Errors
/// If the file cannot be read or the address cannot be bound.
pub async fn serve_sample_api(
    args: SampleApiArgs,
    mut output: Output,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let usage = args.usage.clone();
    let book =
        tokio::task::spawn_blocking(move || read_usage(&usage)).await.map_err(anyhow::Error::from)??;
    let listener =
        TcpListener::bind(args.listen).await.with_context(|| format!("cannot listen on {}", args.listen))?;
    let address = listener.local_addr()?;
    output.line(format_args!("http://{address}{PRODUCT_USAGE_PATH}"))?;
    let options = ApiOptions {
        token: args.token.map(|token| token.expose().to_owned()),
        max_page_size: args.max_page_size,
        ..ApiOptions::default()
    };
    Ok(serve_api(listener, book, options, shutdown).await?)
}

fn read_usage(path: &Path) -> anyhow::Result<UsageBook> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    UsageBook::from_ndjson(BufReader::new(file)).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_options_write_equal_samples() {
        let write = || {
            let folder = tempfile::tempdir().unwrap();
            let args = SampleArgs {
                out: folder.path().join("new/folder"),
                companies: 5,
                days: 3,
                first_day: parse_day("2026-01-01").unwrap(),
                seed: 7,
            };
            write_sample(&args, &mut Output::plain(std::io::sink())).unwrap();
            let usage = std::fs::read_to_string(args.out.join("usage.ndjson")).unwrap();
            let export = std::fs::read(args.out.join("crm/daily/companies_2026-01-03.csv")).unwrap();
            (usage, export)
        };
        let (usage, export) = write();
        assert!(usage.contains("\"2026-01-01\""), "{usage}");
        assert_eq!((usage, export), write());
    }

    #[test]
    fn a_broken_usage_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.ndjson");
        std::fs::write(&path, "{\"date\": \"2026-01-01\"}\n{\"date\": 7}\n").unwrap();
        let message = format!("{:#}", read_usage(&path).unwrap_err());
        assert!(message.contains("usage.ndjson: line 2"), "{message}");
    }
}
