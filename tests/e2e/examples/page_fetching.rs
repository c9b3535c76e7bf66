//! Measures how long one day of the product API takes: the suite's stage (fetched,
//! landed, and loaded into the embedded warehouse), with the pages asked for ahead and one
//! after the other, beside a plain loop that asks for page after page, parses each and
//! writes the records to one file. `make bench-pages` runs it on optimised binaries.

use std::{
    io::Write as _,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, extract::Request, middleware::Next};
use chrono::NaiveDate;
use domain::{DateWindow, run::STAGE_CALL_PRODUCT_API};
use e2e::{
    benchmark::{median, say},
    runs,
    settings::{Layout, Settings},
    sources::API_TOKEN,
    suite::Suite,
};
use proto::pipeline::v1::RunState;
use sample_sources::{ApiOptions, DEFAULT_PAGE_SIZE, PRODUCT_USAGE_PATH, UsageBook, World, WorldOptions};
use serde_json::Value;
use tokio::net::TcpListener;

/// About two thirds of them have a record on a day.
const COMPANIES: usize = 31_000;

/// How long each answer takes.
const LATENCIES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(100)];

/// How often each is measured; the median counts.
const REPETITIONS: usize = 3;

/// The most that the stage may take, as a share of the loop's time, at 20 ms an answer.
const AIM: f64 = 0.2;

#[tokio::main]
async fn main() -> Result<()> {
    let world = World::generate(WorldOptions { companies: COMPANIES, days: 1, ..WorldOptions::default() });
    let day = world.days().next().context("no days")?;
    let records = book_of(&world, day)?.records(day).len();
    say(&format!(
        "one day of {records} records, {DEFAULT_PAGE_SIZE} records a page; medians of {REPETITIONS}"
    ));
    say("an answer takes | a loop | the stage | ratio | one page after the other");
    for latency in LATENCIES {
        let (mut ahead, mut in_turn, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..REPETITIONS {
            plain.push(loop_over_pages(&start_api(&world, day, latency).await?, day, records).await?);
            ahead.push(stage(&world, day, latency, "8", records).await?);
            in_turn.push(stage(&world, day, latency, "1", records).await?);
        }
        let [plain, ahead, in_turn] = [plain, ahead, in_turn].map(median);
        let ratio = ahead / plain;
        say(&format!("{latency:?} | {plain:.2} s | {ahead:.2} s | {ratio:.2} | {in_turn:.2} s"));
        if latency == Duration::from_millis(20) {
            say(&format!("  aim: at most {AIM}: {}", if ratio <= AIM { "met" } else { "missed" }));
        }
    }
    Ok(())
}

fn book_of(world: &World, day: NaiveDate) -> Result<UsageBook> {
    let book = UsageBook::new();
    world.fill(&book, day.succ_opt().context("the calendar ends")?)?;
    Ok(book)
}

/// Starts a product API with the records of `day`, whose answers take `latency`. It serves
/// until the benchmark ends.
async fn start_api(world: &World, day: NaiveDate, latency: Duration) -> Result<String> {
    let book = book_of(world, day)?;
    let options = ApiOptions { token: Some(API_TOKEN.to_owned()), ..ApiOptions::default() };
    let slow = axum::middleware::from_fn(move |request: Request, next: Next| async move {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        next.run(request).await
    });
    let routes: Router = sample_sources::router(book, options).layer(slow);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}{PRODUCT_USAGE_PATH}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Ok(url)
}

/// The seconds that the stage takes in a fresh suite.
async fn stage(
    world: &World,
    day: NaiveDate,
    latency: Duration,
    page_concurrency: &str,
    records: usize,
) -> Result<f64> {
    let settings = Settings::default()
        .flag("ingest-api", "--product-api-url", &start_api(world, day, latency).await?)
        .flag("ingest-api", "--product-api-page-concurrency", page_concurrency)
        .flag("ingest-api", "--history-start", &day.to_string());
    let suite = Suite::start(Layout::Standalone, settings).await?;
    suite.sources.put_world(world, day.succ_opt().context("the calendar ends")?)?;
    let run = suite.run_to_end(DateWindow::day(day), false).await?;
    ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    let read = runs::counters(&run, STAGE_CALL_PRODUCT_API)?.rows_read;
    ensure!(read == records as u64, "{read} of {records} records were read");
    let stage = runs::stage(&run, STAGE_CALL_PRODUCT_API)?;
    let (began, ended) = stage.start_time.zip(stage.end_time).context("the stage has not ended")?;
    Ok(SystemTime::try_from(ended)?.duration_since(SystemTime::try_from(began)?)?.as_secs_f64())
}

/// The seconds that a loop takes.
async fn loop_over_pages(url: &str, day: NaiveDate, expected: usize) -> Result<f64> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let mut file = std::io::BufWriter::new(tempfile::tempfile()?);
    let (began, mut came) = (Instant::now(), 0);
    for page in 1.. {
        let query = [
            ("start_date", day.to_string()),
            ("end_date", day.to_string()),
            ("page", page.to_string()),
            ("page_size", DEFAULT_PAGE_SIZE.to_string()),
        ];
        let answer = client.get(url).bearer_auth(API_TOKEN).query(&query).send().await?.error_for_status()?;
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let records = answer["data"].as_array().context("no list")?;
        for record in records {
            writeln!(file, "{record}")?;
        }
        came += records.len();
        if records.len() < DEFAULT_PAGE_SIZE {
            break;
        }
    }
    file.flush()?;
    ensure!(came == expected, "{came} of {expected} records came");
    Ok(began.elapsed().as_secs_f64())
}
