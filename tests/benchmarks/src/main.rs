//! Measures the storage engines: the cost of a load, a new day, a late record
//! and a rebuild, compared with bare SQL that only writes the rows.
//! `make bench-warehouse` runs it.

mod bare;
mod data;
mod embedded;
mod growth;
mod journey;
mod measured;
mod options;
mod pipeline;
mod production;
mod progress;
mod report;
mod server;

use anyhow::Result;
use clap::Parser;

use crate::{options::Options, progress::Narrator, report::Report};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let narrator = Narrator::new();
    let mut report = Report::default();
    if !options.growth.is_empty() {
        growth::measure(&options, &narrator, &mut report).await?;
        return report.print(&options);
    }
    if !options.skip_postgres {
        production::measure(&options, &narrator, &mut report).await?;
    }
    if !options.skip_embedded {
        embedded::measure(&options, &narrator, &mut report).await?;
    }
    report.print(&options)
}
