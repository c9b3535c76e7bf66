//! Measures the peak memory of the one-process suite while it publishes a
//! backfill, and again for twice as many days: rows stream, so it must not grow
//! with them. `make bench-memory` runs it on optimised binaries.

use std::{fs, time::Instant};

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    benchmark::say,
    runs::{STAGES, has_ended, stage},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
};
use proto::pipeline::v1::{Run, RunState, WatchRunRequest};
use sample_sources::{World, WorldOptions};

const COMPANIES: usize = 20_000;

struct Measurement {
    days: u32,
    peak_kib: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let (small, large) = (measure(30).await?, measure(60).await?);
    #[expect(clippy::cast_precision_loss, reason = "a ratio needs no 53 bits")]
    let ratio = large.peak_kib as f64 / small.peak_kib as f64;
    say(&format!("{} days need {ratio:.2} times the memory of {} days", large.days, small.days));
    Ok(())
}

async fn measure(days: u32) -> Result<Measurement> {
    let settings = Settings::default().flag("ingest-api", "--page-size", "1000");
    let mut suite = Suite::start(Layout::Standalone, settings).await?;
    let world = World::generate(WorldOptions { companies: COMPANIES, days, ..WorldOptions::default() });
    suite.sources.put_world(&world, world.end())?;
    let (first, last) = (world.days().next(), world.days().last());
    let window = DateWindow::new(first.context("no days")?, last.context("no days")?)?;
    say(&format!("{COMPANIES} companies, {days} days, {} usage records", suite.sources.book.len()));

    let started = Instant::now();
    let run_id = suite.trigger(window, false).await?.run.context("no run")?.run_id;
    let run = ended(&suite, run_id).await?;
    anyhow::ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    let peak_kib = peak_kib(suite.process(ACTIVITYCTL)?.id()?)?;
    say(&format!(
        "  published in {:.1} s, peak memory {} MiB",
        started.elapsed().as_secs_f64(),
        peak_kib / 1024
    ));
    for name in STAGES {
        say(&format!("  {}", stage_line(&run, name)?));
    }
    Ok(Measurement { days, peak_kib })
}

/// Waits without a deadline.
async fn ended(suite: &Suite, run_id: String) -> Result<Run> {
    let mut changes = suite.pipeline()?.watch_run(WatchRunRequest { run_id }).await?.into_inner();
    while let Some(change) = changes.message().await? {
        if let Some(run) = change.run.filter(has_ended) {
            return Ok(run);
        }
    }
    anyhow::bail!("the coordinator stopped reporting the run")
}

fn stage_line(run: &Run, name: &str) -> Result<String> {
    let stage = stage(run, name)?;
    let start = stage.start_time.context("it has no start")?;
    let end = stage.end_time.context("it has no end")?;
    let rows = stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default().rows_read;
    Ok(format!("{name}: {rows} rows in {} s", end.seconds - start.seconds))
}

/// The peak resident memory of a process, in KiB.
fn peak_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
