//! What those who watch a run through the console cost, and what its end costs the run.

use std::time::Duration;

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::{DateWindow, run::STAGE_CALL_PRODUCT_API};
use e2e::{
    console::{self, Console, Viewer},
    in_time,
    memory::resident,
    runs::has_begun,
    suite::Suite,
};
use proto::pipeline::v1::RunState;
use sample_sources::{DefectRates, World, WorldOptions};
use tokio::task::JoinSet;

/// Those who watch one run, and those of them who have gone for coffee: their browser takes nothing any more.
const VIEWERS: usize = 200;
const ABSENT: usize = 20;

/// Days of the run. Each is released on its own, so that there are as many changes to tell.
const DAYS: u32 = 40;

/// Changes after which memory has to be what it will be.
const EARLY: usize = 10;

/// How much may be added later, in bytes. What 200 viewers are told of one change is as much.
const GROWTH: u64 = 2 * 1024 * 1024;

/// A run that waits for each of its days.
struct HeldRun {
    suite: Suite,
    days: Vec<NaiveDate>,
    run_id: String,
}

impl HeldRun {
    async fn start() -> Result<Self> {
        let suite = Suite::standalone().await?;
        let options =
            WorldOptions { companies: 20, days: DAYS, defects: DefectRates::NONE, ..WorldOptions::default() };
        let world = World::generate(options);
        suite.sources.put_world(&world, world.end())?;
        let days: Vec<NaiveDate> = world.days().collect();
        for day in &days {
            suite.sources.faults.hold(*day);
        }
        let window = DateWindow::new(days[0], days[days.len() - 1])?;
        let run_id = suite.trigger(window, false).await?.run.context("no run")?.run_id;
        suite.watch_until(&run_id, |run| has_begun(run, STAGE_CALL_PRODUCT_API)).await?;
        Ok(Self { suite, days, run_id })
    }

    fn release(&self, day: NaiveDate) {
        self.suite.sources.faults.release(day);
    }

    async fn must_succeed(&self) -> Result<()> {
        let run = self.suite.watch_until(&self.run_id, |run| run.state() == RunState::Succeeded).await?;
        assert!(run.stages.iter().all(|stage| stage.attempt == 1), "{run:?}");
        Ok(())
    }
}

/// Lets somebody watch, who reads all that comes until it ends.
fn keep_watching(watching: &mut JoinSet<()>, mut viewer: Viewer) {
    watching.spawn(async move { while viewer.next().await.is_ok() {} });
}

#[tokio::test]
async fn two_hundred_viewers_of_a_run_cost_the_same_however_long_it_takes() -> Result<()> {
    let held = HeldRun::start().await?;
    let console = Console::start(&held.suite, &[], &[]).await?;
    let (client, process) = (console::visitor()?, console.process.id()?);
    let (mut watching, mut absent) = (JoinSet::new(), Vec::new());
    for number in 1..VIEWERS {
        let viewer = console.view(&client, &held.run_id).await?;
        if number <= ABSENT { absent.push(viewer) } else { keep_watching(&mut watching, viewer) }
    }
    let mut sentinel = console.view(&client, &held.run_id).await?;
    let mut early = 0;
    for (number, day) in held.days.iter().enumerate() {
        held.release(*day);
        in_time("news of a day", sentinel.next()).await??;
        if number == EARLY {
            early = resident(process)?;
        }
    }
    held.must_succeed().await?;
    in_time("the end of the run", sentinel.sees("event: ended")).await??;
    let late = resident(process)?;
    assert!(late <= early + GROWTH, "{early} bytes after {EARLY} days, {late} after {DAYS}");
    Ok(())
}

#[tokio::test]
async fn killing_the_console_disturbs_no_run_and_a_new_one_shows_it() -> Result<()> {
    let held = HeldRun::start().await?;
    let mut console = Console::start(&held.suite, &[], &[]).await?;
    let client = console::visitor()?;
    let mut watching = JoinSet::new();
    for _ in 0..10 {
        keep_watching(&mut watching, console.view(&client, &held.run_id).await?);
    }
    console.process.kill().await?;
    for day in &held.days {
        held.release(*day);
    }
    held.must_succeed().await?;

    let again = Console::start_at(&held.suite, console.process.address(), &[], &[]).await?;
    let page = client.get(format!("{}/runs/{}", again.url(), held.run_id)).timeout(Duration::from_secs(60));
    let page = page.send().await?.error_for_status()?.text().await?;
    assert!(page.contains(&held.run_id), "{page}");
    Ok(())
}
