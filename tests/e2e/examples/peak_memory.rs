//! Measures the peak memory of the one-process suite while it publishes a
//! backfill, and again for ten times as many days: rows stream, so it must not grow
//! with them. `make bench-memory` runs it on optimised binaries.

use std::{env, time::Instant};

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    benchmark::{run_however_long, stage_seconds},
    memory::peak,
    process::keep_logs_quiet,
    runs::{STAGES, stage},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
};
use figures::{Row, record, say};
use proto::pipeline::v1::{Run, RunState};
use sample_sources::{World, WorldOptions};

/// Unless they are arguments: companies, days of the small backfill, and of the large one. The companies have
/// about 200,000 records in 17 days.
const DEFAULTS: [u32; 3] = [20_000, 17, 167];

/// The most memory that ten times the records may need, as a multiple.
const AIM: f64 = 1.2;

struct Measurement {
    records: usize,
    peak: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    keep_logs_quiet();
    let [mut companies, mut few, mut many] = DEFAULTS;
    for (number, argument) in [&mut companies, &mut few, &mut many].into_iter().zip(env::args().skip(1)) {
        *number = argument.parse()?;
    }
    let (small, large) = (measure(companies, few).await?, measure(companies, many).await?);
    let ratio = large.peak / small.peak;
    say(&format!("{} records need {ratio:.2} times the memory of {}", large.records, small.records));
    for measured in [&small, &large] {
        record(
            &Row::new(format!("{} usage records", measured.records), "MB").value("peak", measured.peak / 1e6),
        )?;
    }
    let row = Row::new("the second as a multiple of the first", "").value("peak", ratio);
    record(&row.aim(format!("≤ {AIM}"), ratio <= AIM))
}

async fn measure(companies: u32, days: u32) -> Result<Measurement> {
    let settings = Settings::default().flag("ingest-api", "--page-size", "1000");
    let mut suite = Suite::start(Layout::Standalone, settings).await?;
    let world =
        World::generate(WorldOptions { companies: companies as usize, days, ..WorldOptions::default() });
    suite.sources.put_world(&world, world.end())?;
    let (first, last) = (world.days().next(), world.days().last());
    let window = DateWindow::new(first.context("no days")?, last.context("no days")?)?;
    say(&format!("{companies} companies, {days} days, {} usage records", suite.sources.book.len()));

    let started = Instant::now();
    let run = run_however_long(&suite, window, false).await?;
    anyhow::ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    let peak = peak(suite.process(ACTIVITYCTL)?.id()?)?;
    say(&format!(
        "  published in {:.1} s, peak memory {} MiB",
        started.elapsed().as_secs_f64(),
        peak / 1_048_576
    ));
    for name in STAGES {
        say(&format!("  {}", stage_line(&run, name)?));
    }
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no 53 bits")]
    Ok(Measurement { records: suite.sources.book.len(), peak: peak as f64 })
}

fn stage_line(run: &Run, name: &str) -> Result<String> {
    let stage = stage(run, name)?;
    let rows = stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default().rows_read;
    Ok(format!("{name}: {rows} rows in {:.1} s", stage_seconds(stage)?))
}
