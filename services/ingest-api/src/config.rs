//! Settings of the service.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::Args as ClapArgs;
use runtime::{HistoryOptions, WarehouseArgs};
use secret::Secret;

use crate::answer_options::AnswerOptions;

/// Where raw records are landed.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct LandingArgs {
    /// Object storage that raw records are landed in: a file:// or az:// URL
    #[arg(long, env = "LANDING_URL", value_name = "URL")]
    pub landing_url: Option<String>,
}

/// The service's own options.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct Options {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub landing: LandingArgs,

    /// The product API's usage endpoint, for example https://api.example.com/v1/product-usage
    #[arg(long, env = "PRODUCT_API_URL", value_name = "URL", hide_env_values = true)]
    pub product_api_url: Option<String>,

    /// Allow the product API to be in a private network or on this machine, where it may also be plain http
    #[arg(long, env = "PRODUCT_API_ALLOW_PRIVATE", num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub product_api_allow_private: bool,

    /// Allow the product API to be reached over the internet by http, which encrypts neither token nor records
    #[arg(long, env = "PRODUCT_API_ALLOW_HTTP", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub product_api_allow_http: bool,

    /// Bearer token for the product API
    #[arg(long, env = "PRODUCT_API_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub product_api_token: Option<Secret>,

    /// File that holds the bearer token; read anew for each stage, and when the token is refused, so that a rotated one
    /// counts
    #[arg(long, env = "PRODUCT_API_TOKEN_FILE", value_name = "FILE")]
    pub product_api_token_file: Option<PathBuf>,

    /// Records to ask for per page
    #[arg(long, env = "PAGE_SIZE", value_name = "RECORDS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub page_size: u32,

    /// How long one request to the product API may take, its body included
    #[arg(long, env = "PRODUCT_API_TIMEOUT", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub product_api_timeout: Duration,

    /// How many days to fetch at the same time
    #[arg(long, env = "PRODUCT_API_CONCURRENCY", value_name = "DAYS", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub product_api_concurrency: u16,

    /// How many pages to ask for at the same time, of one day and of all days together; fewer while the product API
    /// answers 429. A day begins with one page, and asks for as many pages ahead as it has received
    #[arg(long, env = "PRODUCT_API_PAGE_CONCURRENCY", value_name = "PAGES", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub product_api_page_concurrency: u16,

    /// The most requests to the product API in a second [default: no limit]
    #[arg(long, env = "PRODUCT_API_MAX_RATE", value_name = "REQUESTS")]
    pub product_api_max_rate: Option<NonZeroU32>,

    /// How often to try a page that fails with 429, 5xx, a timeout or a lost connection
    #[arg(long, env = "PRODUCT_API_MAX_ATTEMPTS", value_name = "TIMES", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub product_api_max_attempts: u32,

    /// Wait before the second attempt; doubles with each one, and jitter adds up to as much again
    #[arg(long, env = "PRODUCT_API_MIN_BACKOFF", value_name = "DURATION", default_value = "500ms", value_parser = humantime::parse_duration)]
    pub product_api_min_backoff: Duration,

    /// Where that wait stops growing
    #[arg(long, env = "PRODUCT_API_MAX_BACKOFF", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub product_api_max_backoff: Duration,

    /// The longest Retry-After of the product API to wait for; longer ones are cut to this
    #[arg(long, env = "PRODUCT_API_MAX_RETRY_AFTER", value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    pub product_api_max_retry_after: Duration,

    /// The most pages to take for one day, against a server that never ends
    #[arg(long, env = "PRODUCT_API_MAX_PAGES", value_name = "PAGES", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub product_api_max_pages: u32,

    /// The most bytes to take for one page
    #[arg(long, env = "PRODUCT_API_MAX_PAGE_BYTES", value_name = "BYTES", default_value_t = 64 * 1024 * 1024)]
    pub product_api_max_page_bytes: usize,

    /// How many days before a run's window to fetch again, for late data
    #[arg(long, env = "REPOLL_DAYS", value_name = "DAYS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(0..=366))]
    pub repoll_days: u64,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub answers: AnswerOptions,
}

/// The settings of the stand-alone process.
#[derive(Debug, Clone, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub history: HistoryOptions,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,
}
