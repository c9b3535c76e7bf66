//! Past days are rerun where needed, and a dry run previews the changes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use domain::{DateWindow, fact::COLUMNS};
use e2e::{
    fact_table::LOADED_AT,
    runs::has_ended,
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{ListRunsRequest, RunState, RunTrigger};
use test_postgres::Database;

/// Rows by company and day, values by column.
type Rows = BTreeMap<(String, String), BTreeMap<String, String>>;

fn rows(csv: &str) -> Result<Rows> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let mut rows = Rows::new();
    for row in reader.deserialize() {
        let row: BTreeMap<String, String> = row?;
        let value = |column: &str| row.get(column).cloned().with_context(|| format!("no {column}"));
        rows.insert((value("company_id")?, value("activity_date")?), row);
    }
    Ok(rows)
}

/// A value in the dry run's sample.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    key: (String, String),
    column: String,
    old: String,
    new: String,
}

fn sampled(csv: &str) -> Result<BTreeSet<Value>> {
    let mut values = BTreeSet::new();
    for record in csv::Reader::from_reader(csv.as_bytes()).records() {
        let fields: Vec<String> = record?.iter().map(str::to_owned).collect();
        let [company, day, change, column, old, new] =
            <[String; 6]>::try_from(fields).ok().context("fields")?;
        ensure!(change == "changed", "{company} {day} is {change}");
        values.insert(Value { key: (company, day), column, old, new });
    }
    Ok(values)
}

/// The differences between two states of the fact, ignoring `loaded_at`.
fn differences(before: &Rows, after: &Rows) -> BTreeSet<Value> {
    let mut values = BTreeSet::new();
    for (key, new_row) in after {
        for column in COLUMNS.iter().filter(|column| **column != LOADED_AT) {
            let value = |row: Option<&BTreeMap<String, String>>| {
                row.and_then(|row| row.get(*column)).cloned().unwrap_or_default()
            };
            let (old, new) = (value(before.get(key)), value(Some(new_row)));
            if old != new {
                values.insert(Value { key: key.clone(), column: (*column).to_owned(), old, new });
            }
        }
    }
    values
}

/// A company's only event is corrected to zero long after it was published:
/// fourteen days turn out to be at risk.
async fn a_dry_run_reports_what_the_backfill_then_does(layout: Layout, settings: Settings) -> Result<()> {
    let suite = Suite::start(layout, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    let published = rows(&suite.fact_csv(vector.window).await?)?;
    let day = domain::date_window::parse_day("2026-01-03").context("a day")?;
    let corrected = r#"{"company_id":"bolt","date":"2026-01-03","active_users":0,"events":0}"#;
    suite.sources.book.replace_day(day, [corrected.to_owned()])?;

    let stored = suite.stored().await?;
    let (from, to) = (vector.window.start().to_string(), vector.window.end().to_string());
    let backfill = ["backfill", "--from", &from, "--to", &to, "--force", "--chunk-days", "7"];
    let dry_run = |flags: &[&'static str]| [&backfill, ["--dry-run"].as_slice(), flags].concat();
    let csv = suite.command("coordinator", &dry_run(&["--sample", "1000", "--format", "csv"])).await?;
    let json = suite.command("coordinator", &dry_run(&["--sample", "3", "--format", "json"])).await?;
    assert_eq!(suite.stored().await?, stored);

    let values = sampled(&csv.success()?)?;
    let days: BTreeSet<_> = values.iter().map(|value| value.key.clone()).collect();
    assert_eq!(days.len(), 14, "{values:#?}");
    let lines: Vec<serde_json::Value> =
        json.success()?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let [sample @ .., summary] = lines.as_slice() else { anyhow::bail!("no summary") };
    assert_eq!(sample.len(), 3);
    let counts = ["new_rows", "changed_rows", "gone_rows", "new_days", "changed_days", "unchanged_days"];
    let counts = counts.map(|count| summary["total"][count].as_u64().unwrap_or(u64::MAX));
    assert_eq!(counts, [0, 14, 0, 0, 14, vector.window.len_days() - 14], "{summary}");
    assert_eq!(summary["total"]["unchanged_rows"].as_u64(), Some(published.len() as u64 - 14));

    let outcome = suite.command("coordinator", &backfill).await?;
    assert!(outcome.success()?.contains("24 of 24 days done"));
    let now = rows(&suite.fact_csv(vector.window).await?)?;
    assert_eq!(differences(&published, &now), values);
    let rewritten = now.iter().filter(|(key, row)| published[*key][LOADED_AT] != row[LOADED_AT]);
    assert_eq!(rewritten.count(), 14);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_reports_what_the_backfill_then_does_in_one_process() -> Result<()> {
    a_dry_run_reports_what_the_backfill_then_does(Layout::Standalone, Settings::default()).await
}

#[tokio::test]
async fn a_dry_run_reports_what_the_backfill_then_does_on_postgres() -> Result<()> {
    let database = Database::create().await?;
    let settings = Settings::default().warehouse(database.url());
    a_dry_run_reports_what_the_backfill_then_does(Layout::Separate, settings).await
}

/// Publishes around a gap, and makes a run over published days fail.
async fn suite_with_a_gap_and_failed_days(settings: Settings) -> Result<(Suite, Vector)> {
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    for (start, end) in [("2026-01-01", "2026-01-10"), ("2026-01-13", "2026-01-24")] {
        suite.publish(DateWindow::parse(start, end)?).await?;
    }
    let late = "companies_2026-01-24.csv";
    suite.sources.put_export(late, "id\nthis is no export\n")?;
    let failed = suite.run_to_end(DateWindow::parse("2026-01-16", "2026-01-17")?, true).await?;
    assert_eq!(failed.state(), RunState::Failed);
    suite.sources.put_export(late, vector.exports.first().map_or("", |(_, content)| content))?;
    Ok((suite, vector))
}

/// Without force, a gap between published days and days whose newest run failed
/// are run; all others are left alone.
async fn gaps_and_failed_days_are_found(settings: Settings) -> Result<()> {
    let (suite, vector) = suite_with_a_gap_and_failed_days(settings).await?;
    let (from, to) = (vector.window.start().to_string(), vector.window.end().to_string());
    let backfill = ["backfill", "--from", &from, "--to", &to];
    let dry_run = suite.command("coordinator", &[backfill.as_slice(), &["--dry-run"]].concat()).await?;
    let reported = dry_run.success()?;
    let total = reported.lines().find(|line| line.starts_with("total")).context("no total")?;
    // Two days to publish; the failed ones already match the sources.
    assert!(total.split_whitespace().skip(1).take(3).eq(["2", "0", "2"]), "{reported}");

    suite.command("coordinator", &backfill).await?.success()?;
    let runs = suite.pipeline()?.list_runs(ListRunsRequest::default()).await?.into_inner().runs;
    let of_backfill = runs.iter().rev().filter(|run| run.trigger() == RunTrigger::Backfill);
    let windows: Vec<(&str, &str)> = of_backfill
        .filter(|run| has_ended(run))
        .filter_map(|run| run.window.as_ref())
        .map(|window| (window.start_date.as_str(), window.end_date.as_str()))
        .collect();
    assert_eq!(windows, [("2026-01-11", "2026-01-12"), ("2026-01-16", "2026-01-17")]);
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    let again = suite.command("coordinator", &backfill).await?.success()?;
    assert!(again.contains("24 of 24 days done"), "{again}");
    let nothing = suite.command("coordinator", &[backfill.as_slice(), &["--dry-run"]].concat()).await?;
    assert!(nothing.stderr.contains("nothing to run without --force"), "{}", nothing.stderr);
    Ok(())
}

#[tokio::test]
async fn gaps_and_failed_days_are_found_on_the_embedded_engine() -> Result<()> {
    gaps_and_failed_days_are_found(Settings::default()).await
}

#[tokio::test]
async fn gaps_and_failed_days_are_found_on_postgres() -> Result<()> {
    let database = Database::create().await?;
    gaps_and_failed_days_are_found(Settings::default().warehouse(database.url())).await
}

#[tokio::test]
async fn a_forced_backfill_that_failed_reports_how_to_continue() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    suite.sources.put_export("companies_2026-01-24.csv", "id\nthis is no export\n")?;
    let flags = ["--from", "2026-01-02", "--to", "2026-01-24", "--force", "--chunk-days", "5"];
    let stopped = suite.command("coordinator", &[["backfill"].as_slice(), &flags].concat()).await?;
    assert_eq!(stopped.code, 3, "{}", stopped.stderr);
    let url = suite.url_of("coordinator")?;
    let command = format!(
        "activityctl backfill --from 2026-01-02 --to 2026-01-24 --force --chunk-days 5 --server {url}"
    );
    assert!(stopped.stderr.contains(&command), "{}", stopped.stderr);
    Ok(())
}
