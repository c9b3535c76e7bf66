//! Measures how long each page of the console takes with many companies and days on Postgres: until its first byte,
//! until all of it is there, and until a browser has painted something. `make bench-console` runs it on optimised
//! binaries. Console, services, database and browser share the cores.

mod pages;

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use domain::date_window::parse_day;
use e2e::{
    browser::Browser,
    console::{self, Console},
    many_days,
    process::keep_logs_quiet,
    settings::{Layout, Settings},
    suite::Suite,
};
use figures::{Row, median, record, say, sized};
use reqwest::Client;
use serde_json::json;
use test_postgres::{Cluster, Database, PRODUCTION_SIZE};

use crate::pages::Page;

/// Columns side by side under a ruled header.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Looks at each page; an odd number has a middle.
const ROUNDS: usize = 7;

/// The most milliseconds until a browser paints.
const PAINT: f64 = 100.0;

/// Milliseconds, medians of all looks at a page.
struct Measured {
    first_byte: f64,
    complete: f64,
    bytes: usize,
}

#[tokio::main]
async fn main() -> Result<()> {
    keep_logs_quiet();
    let mut arguments = env::args().skip(1).map(|argument| argument.parse::<usize>());
    let companies = arguments.next().unwrap_or(Ok(100_000))?;
    let days = arguments.next().unwrap_or(Ok(400))?;
    // Nothing is written while pages are measured.
    let cluster = Cluster::start(&format!("{PRODUCTION_SIZE} -c fsync=off"))?;
    let database = Database::create_on(cluster.url()).await?;
    // The limit on one caller's calls is no part of this.
    let settings = Settings::default().warehouse(database.url()).variable("MAX_CALLS_PER_SECOND", "0");
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let window = many_days::days_until(parse_day("2026-02-20").context("no day")?, days)?;
    many_days::publish(&database.url(), companies, window).await?;
    let console = Console::start(&suite, &[], &[("MAX_CALLS_PER_SECOND", "0")]).await?;

    let pages = pages::all(companies, window);
    let painted = painted(&console, &pages).await?;
    let client = console::visitor()?;
    let mut table = Table::new();
    table.load_style(STYLE).set_header(["page", "first byte, ms", "complete, ms", "kB", "painted, ms"]);
    let mut is_met = true;
    for (page, painted) in pages.iter().zip(painted) {
        let measured = measure(&client, &console, page).await?;
        is_met &= painted <= PAINT;
        #[expect(clippy::cast_precision_loss, reason = "a page is not that large")]
        let kilobytes = measured.bytes as f64 / 1e3;
        let cells =
            [measured.first_byte, measured.complete, kilobytes, painted].map(|cell| format!("{cell:.1}"));
        table.add_row(std::iter::once(page.name.to_owned()).chain(cells));
        let row = Row::new(format!("console, {}", page.name), "ms").value("complete", measured.complete);
        record(&row.value("painted", painted).aim(format!("≤ {PAINT} ms"), painted <= PAINT))?;
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    say(&format!("{companies} companies on {days} days; medians of {} looks", sized(ROUNDS, 1)));
    say(&table.to_string());
    say(if is_met { "all pages are painted in time" } else { "not all pages are painted in time" });
    Ok(())
}

/// When a browser first painted something of each page. It has the style and the script from the page before.
async fn painted(console: &Console, pages: &[Page]) -> Result<Vec<f64>> {
    let browser = Browser::find()?.context("there is no browser")?;
    let paths: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    let looks =
        browser.go("paint", &console.given(json!({"paths": paths, "rounds": sized(ROUNDS, 1)}))).await?;
    let looks: Vec<Vec<f64>> = serde_json::from_value(looks)?;
    Ok(looks.into_iter().map(median).collect())
}

async fn measure(client: &Client, console: &Console, page: &Page) -> Result<Measured> {
    let (mut first, mut complete, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..sized(ROUNDS, 1) {
        let began = Instant::now();
        let answer = client.get(format!("{}{}", console.url(), page.path)).send().await?;
        ensure!(answer.status().is_success(), "{}: {}", page.path, answer.status());
        first.push(milliseconds(began.elapsed()));
        bytes = answer.bytes().await?.len();
        complete.push(milliseconds(began.elapsed()));
    }
    Ok(Measured { first_byte: median(first), complete: median(complete), bytes })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
