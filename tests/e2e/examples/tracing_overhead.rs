//! Measures what tracing costs: the time that the suite in one process takes for a new
//! day, with a collector and without. Two suites over the same sources publish the same
//! days in turns, and from day to day they change places, so that neither the order nor
//! the one or the other process tips the scales. `make bench-tracing` runs it on
//! optimised binaries.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::DateWindow;
use e2e::{
    settings::Settings,
    suite::{ACTIVITYCTL, Suite},
};
use proto::pipeline::v1::RunState;
use sample_sources::{World, WorldOptions};
use test_telemetry::Receiver;

const COMPANIES: usize = 5_000;

/// Days published before anything is measured: more than the window that a day reads.
const HISTORY: u32 = 20;

/// Days that are measured. An odd number has a middle.
const PAIRS: u32 = 21;

/// The most that tracing may cost: the median of how much longer a day takes with it.
const AIM: f64 = 1.03;

#[derive(Default)]
struct Measured {
    traced: Vec<Duration>,
    plain: Vec<Duration>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::generate(WorldOptions {
        companies: COMPANIES,
        days: HISTORY + PAIRS,
        ..WorldOptions::default()
    });
    let days: Vec<NaiveDate> = world.days().collect();
    let (history, measured) = days.split_at(HISTORY as usize);
    let mut suites = [with_history(&world, history).await?, with_history(&world, history).await?];
    let collector = Receiver::start().await?;
    let traced = Settings::default().variable("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
    say(&format!(
        "{COMPANIES} companies, {HISTORY} days of history, then {PAIRS} new days, each published twice:"
    ));

    let mut times = Measured::default();
    for (turn, day) in measured.iter().enumerate() {
        // All four combinations of place and order, over and over.
        let (traced_one, traced_first) = (turn % 2, turn / 2 % 2 == 0);
        for is_traced in [traced_first, !traced_first] {
            let suite = &mut suites[if is_traced { traced_one } else { 1 - traced_one }];
            let settings = if is_traced { traced.clone() } else { Settings::default() };
            suite.restart_with(ACTIVITYCTL, settings).await?;
            suite.sources.put_world(&world, day.succ_opt().context("the calendar ends")?)?;
            let time = publish(suite, *day).await?;
            if is_traced { &mut times.traced } else { &mut times.plain }.push(time);
        }
        let newest = |times: &[Duration]| times.last().map_or(0.0, Duration::as_secs_f64);
        say(&format!("  {day}: {:.3} s traced, {:.3} s not", newest(&times.traced), newest(&times.plain)));
    }
    report(&times, collector.spans().len());
    Ok(())
}

/// A suite that has published the history.
async fn with_history(world: &World, history: &[NaiveDate]) -> Result<Suite> {
    let suite = Suite::standalone().await?;
    let (first, last) = (history.first().context("no days")?, history.last().context("no days")?);
    suite.sources.put_world(world, last.succ_opt().context("the calendar ends")?)?;
    suite.publish(DateWindow::new(*first, *last)?).await?;
    Ok(suite)
}

/// Publishes one day; returns how long it took.
async fn publish(suite: &Suite, day: NaiveDate) -> Result<Duration> {
    let began = Instant::now();
    let run = suite.run_to_end(DateWindow::day(day), false).await?;
    anyhow::ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    Ok(began.elapsed())
}

fn report(times: &Measured, spans: usize) {
    let seconds = |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    let (traced, plain) = (seconds(&times.traced), seconds(&times.plain));
    // Of the two runs over one day: a machine that is busier at noon is so for both.
    let ratio = median(traced.iter().zip(&plain).map(|(traced, plain)| traced / plain).collect());
    say(&format!("{} spans a run", spans / times.traced.len().max(1)));
    say(&format!("medians: {:.3} s with tracing, {:.3} s without", median(traced), median(plain)));
    say(&format!("median of the pairs' ratios: {ratio:.3}"));
    say(&format!("aim: at most {AIM}: {}", if ratio <= AIM { "met" } else { "missed" }));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[allow(clippy::print_stdout, reason = "a benchmark's result")]
fn say(line: &str) {
    println!("{line}");
}
