//! What to measure, and at which size.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the daily run end to end and beside what people use for it.
#[derive(Debug, Clone, Parser)]
#[command(name = "make bench", max_term_width = 100)]
pub(crate) struct Options {
    /// Sections to run; all of them if none is named.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<SectionName>,

    /// Sections to leave out.
    #[arg(long, value_delimiter = ',')]
    pub(crate) skip: Vec<SectionName>,

    /// Companies of the daily run.
    #[arg(long, default_value_t = 50_000)]
    pub(crate) companies: usize,

    /// Days of history before the first new day.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(20..))]
    pub(crate) days: u32,

    /// New days, each published by every contestant.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    pub(crate) rounds: u32,

    /// Tiny sizes: shows that everything works, and measures nothing.
    #[arg(long)]
    pub(crate) smoke: bool,

    /// Python with the packages of tests/setup/contestants; without it only the suite takes part.
    #[arg(long)]
    pub(crate) python: Option<PathBuf>,

    /// Where results.json and the pictures go.
    #[arg(long, default_value = "target/bench")]
    pub(crate) out: PathBuf,

    /// Measures nothing: writes the newest results into docs/benchmarks.md and docs/benchmarks.
    #[arg(long)]
    pub(crate) write_docs: bool,
}

/// A section, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SectionName {
    /// The daily run beside the other contestants.
    Journey,
    /// A new day with more history and with more companies.
    Growth,
    /// A day of the product API whose answers take 0, 20 and 100 ms.
    Api,
    /// Queries beside Postgres' own clients.
    Queries,
    /// Memory, processor time and start of each service; sizes of programs.
    Footprint,
    /// Peak memory of a backfill of ten times as many records.
    Memory,
    /// The embedded engine.
    Sqlite,
}

impl Options {
    /// The sections to run.
    pub(crate) fn sections(&self) -> impl Iterator<Item = SectionName> {
        SectionName::value_variants()
            .iter()
            .copied()
            .filter(|name| (self.only.is_empty() || self.only.contains(name)) && !self.skip.contains(name))
    }

    /// The sizes that count.
    pub(crate) fn sized(mut self) -> Self {
        if self.smoke {
            (self.companies, self.days, self.rounds) = (300, 20, 1);
        }
        self
    }
}

impl SectionName {
    /// Its name in file names.
    pub(crate) fn id(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
