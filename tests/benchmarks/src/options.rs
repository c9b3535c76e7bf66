//! What to measure, and at which size.

use std::str::FromStr;

use anyhow::Context as _;
use clap::Parser;
use url::Url;

/// Measures the storage engines against bare SQL on the same server, and prints
/// the figures side by side.
#[derive(Debug, Parser)]
#[command(name = "warehouse-benchmark", about, max_term_width = 100)]
pub(crate) struct Options {
    /// Companies on Postgres.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) companies: u32,

    /// Days of history: what is loaded and rebuilt, and what a new day follows.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(20..))]
    pub(crate) days: u32,

    /// Days of the longer history that another new day follows.
    #[arg(long, default_value_t = 360)]
    pub(crate) history_days: u32,

    /// Companies in the embedded engine.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) embedded_companies: u32,

    /// How often a load, a new day and a late record are measured; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) repetitions: u32,

    /// Measures only one new day, at each of these sizes: companies x days of history.
    #[arg(long, value_delimiter = ',', value_name = "COMPANIESxDAYS")]
    pub(crate) growth: Vec<Size>,

    /// A server whose user may create databases. Without, a private one is
    /// started for the run, with fsync and all else that production has.
    #[arg(long, env = "TEST_POSTGRES_URL", hide_env_values = true)]
    pub(crate) postgres_url: Option<Url>,

    /// Leave Postgres out.
    #[arg(long)]
    pub(crate) skip_postgres: bool,

    /// Leave the longer history out.
    #[arg(long)]
    pub(crate) skip_history: bool,

    /// Leave the embedded engine out.
    #[arg(long)]
    pub(crate) skip_embedded: bool,
}

/// A size of a warehouse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) companies: u32,
    pub(crate) days: u32,
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (companies, days) = text.split_once('x').context("a size is COMPANIESxDAYS")?;
        Ok(Self { companies: companies.parse()?, days: days.parse()? })
    }
}
