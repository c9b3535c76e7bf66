//! Measures the memory of each service before, during and after a run over one
//! day, each as a separate process on Postgres: this is what a cluster must
//! provide. Also how long each takes to be ready, its processor time, and the size of its program. `make bench-service-memory` runs it on optimised binaries.

use std::{collections::BTreeMap, env, fs, time::Duration};

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    benchmark::processor_seconds,
    binaries::binary,
    process::keep_logs_quiet,
    runs::{has_ended, stage_states},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
};
use figures::{Row, record, say};
use proto::pipeline::v1::RunState;
use sample_sources::{World, WorldOptions};
use test_postgres::Database;

/// Days of the sources: the run reads one day and the thirteen before it.
const DAYS: u32 = 14;

const LOOK: Duration = Duration::from_millis(50);

/// The resident memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default)]
struct Resident {
    /// All of it, including the pages of its program.
    all: u64,
    /// The memory it allocated.
    allocated: u64,
}

impl Resident {
    fn of(pid: u32) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let field = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such field")?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Self { all: field("VmRSS:")?, allocated: field("RssAnon:")? })
    }

    fn max(self, other: Self) -> Self {
        Self { all: self.all.max(other.all), allocated: self.allocated.max(other.allocated) }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    keep_logs_quiet();
    let companies = env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let database = Database::create().await?;
    let settings = Settings::default().warehouse(database.url()).flag("ingest-api", "--page-size", "1000");
    let mut suite = Suite::start(Layout::Separate, settings).await?;
    let world = World::generate(WorldOptions { companies, days: DAYS, ..WorldOptions::default() });
    suite.sources.put_world(&world, world.end())?;
    let day = DateWindow::day(world.days().last().context("no days")?);
    let mut processes = BTreeMap::new();
    for service in suite.services().collect::<Vec<_>>() {
        processes.insert(service, suite.process(service)?.id()?);
    }
    let look = || -> Result<BTreeMap<&'static str, Resident>> {
        processes.iter().map(|(service, pid)| Ok((*service, Resident::of(*pid)?))).collect()
    };

    let processor = || -> Result<BTreeMap<&'static str, f64>> {
        processes.iter().map(|(service, pid)| Ok((*service, processor_seconds(*pid)?[0]))).collect()
    };

    let (idle, processor_before) = (look()?, processor()?);
    let mut peak = idle.clone();
    let run_id = suite.trigger(day, false).await?.run.context("no run")?.run_id;
    let run = loop {
        for (service, now) in look()? {
            let highest = peak.entry(service).or_default();
            *highest = highest.max(now);
        }
        let run = suite.run(&run_id).await?;
        if has_ended(&run) {
            break run;
        }
        tokio::time::sleep(LOOK).await;
    };
    anyhow::ensure!(run.state() == RunState::Succeeded, "the run failed: {:?} {run:#?}", stage_states(&run));
    let (after, processor_after) = (look()?, processor()?);
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    let millions = suite.sources.book.len() as f64 / 1e6;
    say(&format!(
        "{companies} companies, {} usage records; MiB, in brackets what was allocated",
        suite.sources.book.len()
    ));
    say("service         before         peak          after");
    for (service, peak) in &peak {
        let of = |sample: &BTreeMap<&'static str, Resident>| sample.get(service).copied().unwrap_or_default();
        let text =
            |resident: Resident| format!("{:4} ({:3})", resident.all / 1024, resident.allocated / 1024);
        say(&format!("{service:14} {}     {}     {}", text(of(&idle)), text(*peak), text(of(&after))));
    }
    for (service, peak) in &peak {
        let before = idle.get(service).copied().unwrap_or_default();
        let memory =
            Row::new(format!("{service}, memory"), "MB").value("idle", megabytes(before.all * 1_024));
        record(&memory.value("peak", megabytes(peak.all * 1_024)))?;
    }
    for (service, after) in &processor_after {
        let took = after - processor_before.get(service).copied().unwrap_or_default();
        let row = Row::new(format!("{service}, processor per million records"), "s");
        record(&row.value("processor", took / millions))?;
    }
    for service in processes.keys() {
        let ready = suite.process(service)?.took_to_listen().as_secs_f64() * 1_000.0;
        record(&Row::new(format!("{service}, start to ready"), "ms").value("start", ready))?;
    }
    for service in processes.keys().copied().chain([ACTIVITYCTL]) {
        let size = megabytes(fs::metadata(binary(service)?)?.len());
        record(&Row::new(format!("{service}, program"), "MB").value("size", size))?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "nothing here is that large")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
