//! Measures how fast queries are on Postgres: gets beside pgbench, an export beside `\copy`,
//! the first page of a list beside a late one, and how long churn risks and roll-ups take.
//! Both sides of a comparison are measured in turn, in rounds, on one server, so that a
//! machine that is busier at noon is busier for both. Clients and server share the cores.
//! `make bench-query` runs it on optimised binaries.

mod beside;
mod calls;
mod measured;

use std::{env, time::Duration};

use anyhow::{Context as _, Result, ensure};
use domain::{DateWindow, date_window::parse_day};
use e2e::{
    many_days,
    process::keep_logs_quiet,
    settings::{Layout, Settings},
    suite::Suite,
};
use figures::{Row, median, record, say, sized};
use test_postgres::{Cluster, Database, PRODUCTION_SIZE};

use crate::{
    calls::{Caller, PAGE, RISKS, round},
    measured::{Round, percentile},
};

/// Callers at the same time; each has a connection, as has each of pgbench's clients.
const CALLERS: usize = 4;

/// An odd number has a middle.
const ROUNDS: usize = 7;

/// Gets of a caller in a round.
const GETS: usize = 2_000;

/// Pages of a list, churn risks or roll-ups of a caller in a round.
const CALLS: usize = 50;

/// The late page, if there are as many.
const LATE_PAGE: usize = 1_000;

/// Days of an export.
const EXPORTED_DAYS: i64 = 10;

/// The least share of pgbench's throughput, and the most of its slowest percent.
const GET_THROUGHPUT: f64 = 0.5;
const GET_SLOWEST: f64 = 3.0;

/// The least share of the speed of `\copy` of the same rows in the same order.
const EXPORT_SPEED: f64 = 0.9;

/// The most that a late page may take of the first one's time.
const LATE: f64 = 1.2;

/// Milliseconds within which 99 of 100 churn pages and roll-ups are answered.
const SLOWEST: f64 = 50.0;

struct Setting {
    companies: usize,
    window: DateWindow,
    url: String,
    callers: Vec<Caller>,
}

/// One thread for all callers: more would only hand calls to each other, on the cores that
/// the server needs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    keep_logs_quiet();
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<usize>());
    let companies = arguments.next().unwrap_or(Ok(100_000))?;
    let days = arguments.next().unwrap_or(Ok(30))?;
    // Nothing is written while queries are measured.
    let cluster = Cluster::start(&format!("{PRODUCTION_SIZE} -c fsync=off"))?;
    let database = Database::create_on(cluster.url()).await?;
    // The limit on one caller's calls is no part of this.
    let settings = Settings::default().warehouse(database.url()).variable("MAX_CALLS_PER_SECOND", "0");
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let end = parse_day("2026-02-20").context("no day")?;
    let window = many_days::days_until(end, days)?;
    many_days::publish(&database.url(), companies, window).await?;
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::connect(suite.url_of("activity")?).await?);
    }
    let setting = Setting { companies, window, url: database.url(), callers };
    say(&format!(
        "{companies} companies on {days} days; {CALLERS} callers at once, of exports one; medians of {ROUNDS} rounds; \
         clients and server share {} cores",
        std::thread::available_parallelism()?
    ));
    let aims = [
        gets(&setting).await?,
        exports(&setting).await?,
        lists(&setting).await?,
        risks(&setting).await?,
        roll_ups(&setting).await?,
    ];
    say(if aims.iter().all(|is_met| *is_met) { "all aims are met" } else { "not all aims are met" });
    Ok(())
}

/// Measures both in turn, now one first, now the other. The first round only warms up.
async fn in_turn<T>(
    ours: impl AsyncFn() -> Result<T>,
    beside: impl AsyncFn() -> Result<T>,
) -> Result<Vec<[T; 2]>> {
    ours().await?;
    beside().await?;
    let mut rounds = Vec::new();
    for number in 0..sized(ROUNDS, 1) {
        rounds.push(if number % 2 == 0 {
            [ours().await?, beside().await?]
        } else {
            let beside = beside().await?;
            [ours().await?, beside]
        });
    }
    Ok(rounds)
}

/// The median of the ratios of each round's halves, which met the same machine.
fn ratio<T>(rounds: &[[T; 2]], of: impl Fn(&T) -> f64) -> f64 {
    median(rounds.iter().map(|[ours, beside]| of(ours) / of(beside)).collect())
}

/// The medians of both.
fn middles<T>(rounds: &[[T; 2]], of: impl Fn(&T) -> f64) -> [f64; 2] {
    [0, 1].map(|side| median(rounds.iter().map(|halves| of(&halves[side])).collect()))
}

async fn gets(setting: &Setting) -> Result<bool> {
    let Setting { companies, window, url, callers } = setting;
    let gets = sized(GETS, 20);
    let ours = async || round(callers, gets, async |caller| caller.get(*companies, *window).await).await;
    let beside = async || {
        let (url, companies, day) = (url.clone(), *companies, window.end());
        tokio::task::spawn_blocking(move || beside::pgbench(&url, companies, day, CALLERS, gets)).await?
    };
    let nothing = async || round(callers, gets, async |caller| caller.nothing().await).await;
    let ceiling = in_turn(nothing, &beside).await?;
    let rounds = in_turn(ours, beside).await?;
    let throughput = ratio(&rounds, Round::throughput);
    let slowest = ratio(&rounds, |round| round.within(0.99));
    let is_met = throughput >= GET_THROUGHPUT && slowest <= GET_SLOWEST;
    let [our_throughput, throughput_beside] = middles(&rounds, Round::throughput);
    let [our_slowest, slowest_beside] = middles(&rounds, |round| round.within(0.99));
    say(&format!(
        "get by key / pgbench -M prepared: {our_throughput:.0} / {throughput_beside:.0} calls/s = {throughput:.3} (aim \
         ≥ {GET_THROUGHPUT}); p99 {our_slowest:.2} / {slowest_beside:.2} ms = {slowest:.2} (aim ≤ {GET_SLOWEST}): {}",
        met(is_met)
    ));
    let row = Row::new("get by key / pgbench", "calls/s").value("ours", our_throughput);
    let row = row.value("beside", throughput_beside).ratio(format!("{throughput:.2} of its throughput"));
    record(&row.aim(format!("≥ {GET_THROUGHPUT}"), throughput >= GET_THROUGHPUT))?;
    let row = Row::new("get by key / pgbench, p99", "ms").value("ours", our_slowest);
    let row = row.value("beside", slowest_beside).ratio(format!("{slowest:.2} of its p99"));
    record(&row.aim(format!("≤ {GET_SLOWEST}"), slowest <= GET_SLOWEST))?;
    let share = ratio(&ceiling, Round::throughput);
    let [calls, _] = middles(&ceiling, Round::throughput);
    let [slowest, _] = middles(&ceiling, |round| round.within(0.99));
    say(&format!(
        "  ceiling: an empty call on the same connections: {calls:.0} calls/s = {share:.3} of pgbench; p99 {slowest:.2} \
         ms; a get reaches {:.3} of it",
        throughput / share
    ));
    let row = Row::new("an empty call on the same connections / pgbench", "calls/s").value("ours", calls);
    record(&row.value("beside", throughput_beside).ratio(format!("{share:.2} of its throughput")))?;
    Ok(is_met)
}

async fn exports(setting: &Setting) -> Result<bool> {
    let Setting { window, url, callers, companies } = setting;
    let start = (window.end() - chrono::Duration::days(EXPORTED_DAYS - 1)).max(window.start());
    let window = DateWindow::new(start, window.end())?;
    let expected = companies * window.days().count();
    let ours = async || {
        let export = round(&callers[..1], 1, async |caller| {
            ensure!(caller.export(window).await? == expected, "an export that is not complete");
            Ok(())
        });
        Ok(Duration::from_secs_f64(export.await?.seconds))
    };
    let copy = |is_ordered| {
        let url = url.clone();
        async move { tokio::task::spawn_blocking(move || beside::copy(&url, window, is_ordered)).await? }
    };
    let mut is_met = true;
    for (is_ordered, order) in [(true, "in the same order"), (false, "in any order")] {
        let rounds = in_turn(&ours, async || copy(is_ordered).await).await?;
        // Of the speeds.
        let speed = 1.0 / ratio(&rounds, Duration::as_secs_f64);
        let [ours, beside] = middles(&rounds, Duration::as_secs_f64);
        let mut line = format!(
            "export of {expected} rows / \\copy {order}: {ours:.2} / {beside:.2} s = {speed:.3} of its speed"
        );
        let mut row = Row::new(format!("export / \\copy {order}"), "s").value("ours", ours);
        row = row.value("beside", beside).ratio(format!("{speed:.2} of its speed"));
        if is_ordered {
            row = row.aim(format!("≥ {EXPORT_SPEED}"), speed >= EXPORT_SPEED);
            is_met = speed >= EXPORT_SPEED;
            line.push_str(&format!(" (aim ≥ {EXPORT_SPEED}): {}", met(is_met)));
        }
        say(&line);
        record(&row)?;
    }
    Ok(is_met)
}

async fn lists(setting: &Setting) -> Result<bool> {
    let Setting { window, callers, .. } = setting;
    let (mut late, mut number) = (String::new(), 1);
    while number < LATE_PAGE {
        let next = callers[0].clone().list(*window, late.clone()).await?;
        if next.is_empty() {
            break;
        }
        (late, number) = (next, number + 1);
    }
    let page = async |token: &String| {
        round(callers, sized(CALLS, 2), async |caller| caller.list(*window, token.clone()).await.map(drop))
            .await
    };
    let rounds = in_turn(async || page(&late).await, async || page(&String::new()).await).await?;
    let slower = ratio(&rounds, |round| round.within(0.5));
    let [late, first] = middles(&rounds, |round| round.within(0.5));
    let is_met = slower <= LATE;
    say(&format!(
        "page {number} / page 1 of {PAGE} rows: {late:.2} / {first:.2} ms = {slower:.3} (aim ≤ {LATE}): {}",
        met(is_met)
    ));
    let row = Row::new(format!("page {number} / page 1 of {PAGE} rows"), "ms").value("ours", late);
    let row = row.value("beside", first).ratio(format!("{slower:.2} of its time"));
    record(&row.aim(format!("≤ {LATE}"), is_met))?;
    Ok(is_met)
}

async fn risks(setting: &Setting) -> Result<bool> {
    let Setting { window, callers, .. } = setting;
    // Nobody has asked since the day was published.
    let first =
        round(&callers[..1], 1, async |caller| caller.risks(*window, String::new()).await.map(drop)).await?;
    let mut pages = vec![String::new()];
    while let Some(last) = pages.last() {
        let next = callers[0].clone().risks(*window, last.clone()).await?;
        if next.is_empty() {
            break;
        }
        pages.push(next);
    }
    let mut times = Vec::new();
    for turn in 0..sized(ROUNDS * CALLS, 4) {
        let page = pages[turn % pages.len()].clone();
        times.extend(
            round(callers, 1, async |caller| caller.risks(*window, page.clone()).await.map(drop))
                .await?
                .times,
        );
    }
    let is_met = slowest(&format!("churn risks, {} pages of {RISKS}", pages.len()), times)?;
    say(&format!("  the first page after a publish: {:.1} ms", first.within(1.0)));
    Ok(is_met)
}

async fn roll_ups(setting: &Setting) -> Result<bool> {
    let Setting { companies, window, callers, .. } = setting;
    let call = async |caller: Caller| caller.roll_up(*companies, *window).await;
    round(callers, sized(CALLS, 2), call).await?;
    slowest("roll-up by week", round(callers, sized(ROUNDS * CALLS, 4), call).await?.times)
}

/// Prints how long calls took; whether the aim is met.
fn slowest(name: &str, times: Vec<f64>) -> Result<bool> {
    let slowest = percentile(times.clone(), 0.99) * 1_000.0;
    let is_met = slowest <= SLOWEST;
    let middle = median(times) * 1_000.0;
    say(&format!("{name}: p50 {middle:.2} ms, p99 {slowest:.2} ms (aim ≤ {SLOWEST}): {}", met(is_met)));
    let row = Row::new(format!("{name}, p99"), "ms").value("ours", slowest);
    record(&row.aim(format!("≤ {SLOWEST} ms"), is_met))?;
    Ok(is_met)
}

const fn met(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}
