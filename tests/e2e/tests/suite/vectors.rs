//! The worked cases come out as written, for any history of runs.

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

async fn all_days_at_once(layout: Layout, vector: Vector) -> Result<()> {
    let suite = Suite::start(layout, Settings::default()).await?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

async fn day_by_day(layout: Layout, vector: Vector) -> Result<()> {
    let suite = Suite::start(layout, Settings::default()).await?;
    vector.deliver(&suite.sources)?;
    for day in vector.window.days() {
        suite.publish(DateWindow::day(day)).await?;
    }
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn gaps_come_out_as_written_from_one_run() -> Result<()> {
    all_days_at_once(Layout::Standalone, Vector::gaps()?).await
}

#[tokio::test]
async fn snapshots_come_out_as_written_from_one_run() -> Result<()> {
    all_days_at_once(Layout::Standalone, Vector::snapshots()?).await
}

#[tokio::test]
async fn gaps_come_out_as_written_from_separate_processes() -> Result<()> {
    all_days_at_once(Layout::Separate, Vector::gaps()?).await
}

#[tokio::test]
async fn snapshots_come_out_as_written_from_separate_processes_day_by_day() -> Result<()> {
    day_by_day(Layout::Separate, Vector::snapshots()?).await
}

#[tokio::test]
async fn gaps_come_out_as_written_day_by_day() -> Result<()> {
    day_by_day(Layout::Standalone, Vector::gaps()?).await
}

/// An event in a history.
#[derive(Debug, Clone)]
enum Event {
    ExportArrives { name: String, content: String },
    UsageArrives(String),
    RunsOver(DateWindow),
}

/// A history in which everything arrives in any order and the days are run in
/// any order, in chunks of any size; so much arrives after its day was
/// published.
fn shuffled_history(vector: &Vector, random: &mut StdRng) -> Vec<Event> {
    let exports = vector.exports.iter();
    let exports =
        exports.map(|(name, content)| Event::ExportArrives { name: name.clone(), content: content.clone() });
    let usage = vector.usage.iter().cloned().map(Event::UsageArrives);
    let mut history: Vec<Event> = exports.chain(usage).chain(chunks(vector.window, random)).collect();
    history.shuffle(random);
    history
}

fn chunks(window: DateWindow, random: &mut StdRng) -> Vec<Event> {
    let days: Vec<_> = window.days().collect();
    let mut rest = days.as_slice();
    let mut chunks = Vec::new();
    while let Some(first) = rest.first() {
        let (chunk, others) = rest.split_at(random.random_range(1..=rest.len().min(6)));
        chunks.extend(chunk.last().and_then(|last| DateWindow::new(*first, *last).ok()).map(Event::RunsOver));
        rest = others;
    }
    chunks
}

async fn any_order_ends_in_the_same_table(vector: Vector, seed: u64) -> Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let suite = Suite::standalone().await?;
    // A run without any rows to publish is refused, so an export comes first;
    // which one is part of the history.
    let mut history = shuffled_history(&vector, &mut random);
    let first_export = history.iter().position(|event| matches!(event, Event::ExportArrives { .. }));
    history[..=first_export.unwrap_or_default()].rotate_right(1);
    let context = || format!("seed {seed}: {history:#?}");
    for event in &history {
        let done = match event {
            Event::ExportArrives { name, content } => suite.sources.put_export(name, content),
            Event::UsageArrives(record) => suite.sources.add_usage(record),
            Event::RunsOver(window) => suite.publish(*window).await,
        };
        done.with_context(context)?;
    }
    // The last arrivals have not been fetched yet.
    suite.publish_again(vector.window).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected).with_context(context)
}

#[tokio::test]
async fn gaps_come_out_as_written_in_any_order() -> Result<()> {
    for seed in 1..=3 {
        any_order_ends_in_the_same_table(Vector::gaps()?, seed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn snapshots_come_out_as_written_in_any_order() -> Result<()> {
    for seed in 1..=4 {
        any_order_ends_in_the_same_table(Vector::snapshots()?, seed).await?;
    }
    Ok(())
}

#[tokio::test]
async fn usage_that_arrives_late_is_picked_up_by_a_later_day() -> Result<()> {
    let vector = Vector::gaps()?;
    let suite = Suite::standalone().await?;
    for (name, content) in &vector.exports {
        suite.sources.put_export(name, content)?;
    }
    for day in vector.window.days() {
        // The usage of two days ago is reported today.
        let day_text = day.to_string();
        suite.publish(DateWindow::day(day)).await?;
        for record in vector.usage.iter().filter(|record| record.contains(&day_text)) {
            suite.sources.add_usage(record)?;
        }
    }
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}
