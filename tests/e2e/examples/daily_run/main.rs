//! Measures the daily run end to end, beside the original specification's own way and beside dlt with dbt, then how it
//! grows, what it needs, and how fast queries are. Whoever is wrong is shown as wrong. `make bench` runs it on
//! optimised binaries.

mod contestants;
mod docs;
mod elsewhere;
mod journey;
mod morning;
mod options;
mod picture;
mod progress;
mod server;
mod spent;
mod table;
mod truth;

use std::{fs, process::ExitCode, time::Instant};

use anyhow::Result;
use clap::Parser;
use figures::say;

use crate::{
    options::{Options, SectionName},
    progress::{elapsed, tell},
    table::{Results, Table},
};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse().sized();
    if options.write_docs {
        docs::write(&options.out)?;
        return Ok(ExitCode::SUCCESS);
    }
    e2e::process::keep_logs_quiet();
    fs::create_dir_all(&options.out)?;
    let mut results =
        Results { about: about(&options)?, is_smoke: options.smoke, tables: vec![], failures: vec![] };
    for name in options.sections() {
        tell(&format!("{}:", name.id()));
        let began = Instant::now();
        match measure(name, &options).await {
            Ok(tables) => {
                for mut table in tables {
                    table.seconds = began.elapsed().as_secs_f64();
                    table.print();
                    let picture = options.out.join(format!("{}.svg", table.id));
                    picture::draw(&table, &results.about, &picture)?;
                    results.tables.push(table);
                }
            }
            Err(error) => {
                say(&format!("\n{} FAILED: {error:#}", name.id()));
                results.failures.push(format!("{}: {error:#}", name.id()));
            }
        }
        // After each section, so that an interrupted run leaves what it has.
        fs::write(options.out.join("results.json"), serde_json::to_string_pretty(&results)?)?;
    }
    say(&format!("\n{}", results.about));
    say(&format!(
        "{:.0} minutes; results.json and pictures are in {}",
        elapsed().as_secs_f64() / 60.0,
        options.out.display()
    ));
    for failure in &results.failures {
        say(&format!("FAILED: {}", failure.lines().next().unwrap_or_default()));
    }
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure(name: SectionName, options: &Options) -> Result<Vec<Table>> {
    match name {
        SectionName::Journey => journey::measure(options).await,
        other => Ok(vec![elsewhere::measure(other, options).await?]),
    }
}

/// When, on what and at which size.
fn about(options: &Options) -> Result<String> {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    let gigabytes = kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1_048_576;
    let cores = std::thread::available_parallelism()?;
    let size = if options.smoke { "a smoke run at tiny size that measures nothing" } else { "measured" };
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    #[expect(clippy::disallowed_methods, reason = "readers want to know when it was measured")]
    let day = chrono::Utc::now().date_naive();
    Ok(format!(
        "{size} on {day}, {cores} cores, {gigabytes} GB of memory, {build} build, {} companies, {} days of history, {} \
         rounds",
        options.companies, options.days, options.rounds
    ))
}
