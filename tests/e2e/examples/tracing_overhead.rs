//! Measures the cost of tracing: the time that the one-process suite takes for
//! a new day, with a collector and without. Two suites over the same sources
//! publish the same days in turn, and swap places from day to day, so that
//! neither the order nor a single process tips the scales. `make bench-tracing`
//! runs it on optimised binaries.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use chrono::NaiveDate;
use domain::DateWindow;
use e2e::{
    settings::Settings,
    suite::{ACTIVITYCTL, Suite},
};
use figures::{median, say};
use proto::pipeline::v1::RunState;
use sample_sources::{World, WorldOptions};
use test_telemetry::Receiver;

const COMPANIES: usize = 20_000;

/// Days published before measuring starts: more than the window that a day reads.
const HISTORY: u32 = 20;

/// Days to measure. An odd number has a middle.
const PAIRS: u32 = 21;

/// The most that tracing may cost: the median ratio of a day's time with tracing to that without.
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
        // Cycles through all four combinations of place and order.
        let (traced_one, traced_first) = (turn % 2, turn / 2 % 2 == 0);
        for is_traced in [traced_first, !traced_first] {
            let suite = &mut suites[if is_traced { traced_one } else { 1 - traced_one }];
            let settings = if is_traced { traced.clone() } else { Settings::default() };
            suite.restart_with(ACTIVITYCTL, settings).await?;
            suite.sources.put_world(&world, day.succ_opt().context("the calendar ends")?)?;
            let time = publish(suite, *day).await?;
            if is_traced { &mut times.traced } else { &mut times.plain }.push(time);
            // Pending telemetry is sent at shutdown; a killed process loses it.
            suite.process(ACTIVITYCTL)?.terminate().await?;
        }
        let newest = |times: &[Duration]| times.last().map_or(0.0, Duration::as_secs_f64);
        say(&format!("  {day}: {:.3} s traced, {:.3} s not", newest(&times.traced), newest(&times.plain)));
    }
    report(&times, collector.spans().len());
    Ok(())
}

/// Starts a suite and publishes the history.
async fn with_history(world: &World, history: &[NaiveDate]) -> Result<Suite> {
    let suite = Suite::standalone().await?;
    let (first, last) = (history.first().context("no days")?, history.last().context("no days")?);
    suite.sources.put_world(world, last.succ_opt().context("the calendar ends")?)?;
    suite.publish(DateWindow::new(*first, *last)?).await?;
    Ok(suite)
}

/// Publishes one day; returns the time it took.
async fn publish(suite: &Suite, day: NaiveDate) -> Result<Duration> {
    let began = Instant::now();
    let run = suite.run_to_end(DateWindow::day(day), false).await?;
    anyhow::ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    Ok(began.elapsed())
}

fn report(times: &Measured, spans: usize) {
    let seconds = |times: &[Duration]| times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
    let (traced, plain) = (seconds(&times.traced), seconds(&times.plain));
    // Compares the two runs over the same day: a machine that is busier at noon is busier for both.
    let ratio = median(traced.iter().zip(&plain).map(|(traced, plain)| traced / plain).collect());
    say(&format!("{} spans a run", spans / times.traced.len().max(1)));
    let (traced, plain) = (median(traced), median(plain));
    say(&format!("medians: {traced:.3} s with tracing, {plain:.3} s without; ratio {:.3}", traced / plain));
    say(&format!("median of the pairs' ratios: {ratio:.3}"));
    say(&format!("aim: at most {AIM}: {}", if ratio <= AIM { "met" } else { "missed" }));
}
