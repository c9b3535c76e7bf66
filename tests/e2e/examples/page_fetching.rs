//! Measures how long one day of the product API takes: the suite's stage (fetched,
//! landed, and loaded into the embedded warehouse), with the pages asked for ahead and one
//! after the other, beside a plain loop that asks for page after page, parses each and
//! writes the records to one file. `make bench-pages` runs it on optimised binaries.

use std::{
    env,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use domain::{DateWindow, run::STAGE_CALL_PRODUCT_API};
use e2e::{
    benchmark::{stage_seconds, start_slow_api},
    process::keep_logs_quiet,
    runs,
    settings::{Layout, Settings},
    sources::API_TOKEN,
    suite::Suite,
};
use figures::{Row, median, record, say, sized};
use proto::pipeline::v1::RunState;
use sample_sources::{DEFAULT_PAGE_SIZE, UsageBook, World, WorldOptions};
use serde_json::Value;

/// Unless their number is an argument. About two thirds of them have a record on a day.
const COMPANIES: usize = 31_000;

/// How long each answer takes.
const LATENCIES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(20), Duration::from_millis(100)];

/// How often each is measured; the median counts.
const REPETITIONS: usize = 3;

/// The most that the stage may take, as a share of the loop's time, at 20 ms an answer.
const AIM: f64 = 0.2;

#[tokio::main]
async fn main() -> Result<()> {
    keep_logs_quiet();
    let companies = env::args().nth(1).map_or(Ok(COMPANIES), |count| count.parse())?;
    let repetitions = sized(REPETITIONS, 1);
    let world = World::generate(WorldOptions { companies, days: 1, ..WorldOptions::default() });
    let day = world.days().next().context("no days")?;
    let records = book_of(&world, day)?.records(day).len();
    say(&format!(
        "one day of {records} records, {DEFAULT_PAGE_SIZE} records a page; medians of {repetitions}"
    ));
    say("an answer takes | a loop | the stage | ratio | one page after the other");
    for latency in LATENCIES {
        let (mut ahead, mut in_turn, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repetitions {
            plain.push(
                loop_over_pages(&start_slow_api(book_of(&world, day)?, latency).await?, day, records).await?,
            );
            ahead.push(stage(&world, day, latency, "8", records).await?);
            in_turn.push(stage(&world, day, latency, "1", records).await?);
        }
        let row =
            Row::new(format!("an answer takes {} ms", latency.as_millis()), "s").median("our stage", &ahead);
        let mut row = row.median("a loop", &plain).median("our stage, page after page", &in_turn);
        let [plain, ahead, in_turn] = [plain, ahead, in_turn].map(median);
        let ratio = ahead / plain;
        say(&format!("{latency:?} | {plain:.2} s | {ahead:.2} s | {ratio:.2} | {in_turn:.2} s"));
        if latency == Duration::from_millis(20) {
            row = row.aim(format!("≤ {AIM} of the loop"), ratio <= AIM);
            say(&format!("  aim: at most {AIM}: {}", if ratio <= AIM { "met" } else { "missed" }));
        }
        record(&row.ratio(format!("{ratio:.2} of the loop")))?;
    }
    Ok(())
}

fn book_of(world: &World, day: NaiveDate) -> Result<UsageBook> {
    let book = UsageBook::new();
    world.fill(&book, day.succ_opt().context("the calendar ends")?)?;
    Ok(book)
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
        .flag("ingest-api", "--product-api-url", &start_slow_api(book_of(world, day)?, latency).await?)
        .flag("ingest-api", "--product-api-page-concurrency", page_concurrency)
        .flag("ingest-api", "--history-start", &day.to_string());
    let suite = Suite::start(Layout::Standalone, settings).await?;
    suite.sources.put_world(world, day.succ_opt().context("the calendar ends")?)?;
    let run = suite.run_to_end(DateWindow::day(day), false).await?;
    ensure!(run.state() == RunState::Succeeded, "the run failed: {run:#?}");
    let read = runs::counters(&run, STAGE_CALL_PRODUCT_API)?.rows_read;
    ensure!(read == records as u64, "{read} of {records} records were read");
    stage_seconds(runs::stage(&run, STAGE_CALL_PRODUCT_API)?)
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
