//! Differences between published numbers and the product API are found, named and healed.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use chrono::NaiveDate;
use domain::DateWindow;
use e2e::{
    alerts::AlertReceiver,
    cli::{self, Outcome},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
};
use proto::pipeline::v1::RunState;
use sample_sources::{DefectRates, World, WorldOptions};
use serde_json::{Value, json};

/// Flawless sources of so many companies and days, published.
async fn published(companies: usize, days: u32, settings: Settings) -> Result<(Suite, World, DateWindow)> {
    let options = WorldOptions { companies, days, defects: DefectRates::NONE, ..WorldOptions::default() };
    let world = World::generate(options);
    let suite = Suite::start(Layout::Standalone, settings).await?;
    suite.sources.put_world(&world, world.end())?;
    let (first, last) = (world.days().next(), world.days().last());
    let window = DateWindow::new(first.context("no days")?, last.context("no days")?)?;
    suite.publish(window).await?;
    Ok((suite, world, window))
}

async fn reconcile(suite: &Suite, window: DateWindow, flags: &[&str]) -> Result<Outcome> {
    let (from, to) = (window.start().to_string(), window.end().to_string());
    let command = ["reconcile", "--from", &from, "--to", &to, "--format", "json"];
    suite.command("coordinator", &[&command, flags].concat()).await
}

/// The lines of one pass of a command, by company and day.
fn lines(outcome: &Outcome, pass: &str) -> Result<BTreeMap<(String, NaiveDate), Value>> {
    let mut lines = BTreeMap::new();
    for line in outcome.stdout.lines() {
        let line: Value = serde_json::from_str(line)?;
        let day = line["activity_date"].as_str().and_then(domain::date_window::parse_day);
        if let (Some(company), Some(day)) = (line["company_id"].as_str(), day)
            && line["pass"] == pass
        {
            lines.insert((company.to_owned(), day), line);
        }
    }
    Ok(lines)
}

/// Kinds by company and day.
type Kinds = BTreeMap<(String, NaiveDate), String>;

fn kinds(outcome: &Outcome, pass: &str) -> Result<Kinds> {
    let kind = |(key, line): (_, Value)| (key, line["kind"].as_str().unwrap_or("none").to_owned());
    Ok(lines(outcome, pass)?.into_iter().map(kind).collect())
}

fn expected<'a>(kinds: impl IntoIterator<Item = (&'a str, NaiveDate, &'a str)>) -> Kinds {
    kinds.into_iter().map(|(company, day, kind)| ((company.to_owned(), day), kind.to_owned())).collect()
}

/// A day of the product API, which a test changes.
struct SourceDay {
    day: NaiveDate,
    records: Vec<Value>,
}

impl SourceDay {
    fn read(suite: &Suite, day: NaiveDate) -> Result<Self> {
        let records = suite.sources.book.records(day);
        let records = records.iter().map(|record| serde_json::from_str(record));
        Ok(Self { day, records: records.collect::<Result<_, _>>()? })
    }

    /// The companies that did something, in order.
    fn active(&self) -> Vec<String> {
        let is_active = |record: &&Value| record["events"].as_i64() > Some(0);
        let id = |record: &Value| record["company_id"].as_str().unwrap_or_default().to_owned();
        self.records.iter().filter(is_active).map(id).collect()
    }

    fn set(&mut self, company: &str, field: &str, value: impl Into<Value>) {
        let value = value.into();
        for record in self.records.iter_mut().filter(|record| record["company_id"] == company) {
            record[field] = value.clone();
        }
    }

    fn remove(&mut self, company: &str) {
        self.records.retain(|record| record["company_id"] != company);
    }

    fn add(&mut self, company: &str, active_users: i32, events: i64) {
        let date = self.day.to_string();
        self.records.push(json!({
            "company_id": company, "date": date, "active_users": active_users, "events": events,
        }));
    }

    fn write(&self, suite: &Suite) -> Result<()> {
        Ok(suite.sources.book.replace_day(self.day, self.records.iter().map(Value::to_string))?)
    }
}

/// Loads a change of the source in a run that does not get as far as publishing it.
async fn load_without_publishing(suite: &Suite, world: &World, day: NaiveDate) -> Result<()> {
    let export = world.crm_export(world.days().last().context("no days")?);
    suite.sources.put_export(&export.file_name, "no export")?;
    let run = suite.run_to_end(DateWindow::day(day), true).await?;
    ensure!(run.state() == RunState::Failed, "{run:?}");
    suite.sources.put_export(&export.file_name, &export.csv)
}

/// Changes a cell, replaces a row by a stranger's, and removes a staged record.
async fn change_without_a_run(
    suite: &Suite,
    day: NaiveDate,
    cell: &str,
    row: &str,
    staged: &str,
) -> Result<()> {
    let database = suite.database().await?;
    let of = |company: &str, column: &str| format!("company_id = '{company}' AND {column} = '{day}'");
    for statement in [
        format!("UPDATE fact_company_activity SET events = events + 1 WHERE {}", of(cell, "activity_date")),
        format!(
            "INSERT INTO fact_company_activity (company_id, activity_date, active_users, events, \
             \"7d_active_users\", is_churn_risk, loaded_at) \
             SELECT 'phantom', activity_date, 3, 30, 3, FALSE, loaded_at FROM fact_company_activity WHERE {}",
            of(row, "activity_date")
        ),
        format!("DELETE FROM fact_company_activity WHERE {}", of(row, "activity_date")),
        format!("DELETE FROM stg_product_usage WHERE {}", of(staged, "date")),
    ] {
        database.execute(statement).await?;
    }
    Ok(())
}

/// Plants differences of every nature in published days, and expects each to be found, named
/// and healed, unless only the source can mend it.
async fn differences_are_found_named_and_healed(settings: Settings) -> Result<()> {
    let (suite, world, window) = published(200, 6, settings).await?;
    let days: Vec<NaiveDate> = window.days().collect();
    let (day, other_day) = (days[3], days[4]);
    let clean = reconcile(&suite, window, &["--all"]).await?;
    assert!(clean.success()?.contains("\"mismatches\":0"));

    let mut source = SourceDay::read(&suite, day)?;
    let active = source.active();
    let [late, users, events, zero, gone, torn, mended, still_torn, twice, cell, row, staged, ..] =
        active.as_slice()
    else {
        anyhow::bail!("too few companies did something: {active:?}")
    };

    // What the last fetch of the day got.
    let at_first = source.records.clone();
    source.remove(late);
    source.set(mended, "events", "many");
    source.set(still_torn, "active_users", -1);
    source.write(&suite)?;
    suite.publish_again(DateWindow::day(day)).await?;
    let quarantined = reconcile(&suite, window, &["--all"]).await?;
    assert_eq!(quarantined.code, 4, "{quarantined:?}");
    let unreadable = expected([(mended.as_str(), day, "quarantined"), (still_torn, day, "quarantined")]);
    assert_eq!(kinds(&quarantined, "found")?, unreadable);

    let mut other_source = SourceDay::read(&suite, other_day)?;
    let other_active = other_source.active();
    let [waiting, of_anyone, ..] = other_active.as_slice() else { anyhow::bail!("{other_active:?}") };
    other_source.set(waiting, "events", 123_456);
    other_source.write(&suite)?;
    load_without_publishing(&suite, &world, other_day).await?;

    // What the source says from now on.
    other_source.remove(of_anyone);
    other_source.records.push(json!({ "date": other_day.to_string(), "active_users": 1, "events": 1 }));
    other_source.write(&suite)?;
    source.records.clone_from(&at_first);
    source.set(still_torn, "active_users", -1);
    source.add("newcomer", 4, 44);
    source.set(users, "active_users", 77);
    source.set(events, "events", 7_777);
    source.set(zero, "active_users", 0);
    source.set(zero, "events", 0);
    source.remove(gone);
    source.set(torn, "events", "some");
    source.set(mended, "events", 5_555);
    source.add(twice, 1, 11_111);
    source.write(&suite)?;

    change_without_a_run(&suite, day, cell, row, staged).await?;
    let planted = expected([
        (late.as_str(), day, "late_at_source"),
        ("newcomer", day, "late_at_source"),
        (users, day, "corrected_at_source"),
        (events, day, "corrected_at_source"),
        (zero, day, "corrected_at_source"),
        (twice, day, "corrected_at_source"),
        (gone, day, "extra_here"),
        ("phantom", day, "extra_here"),
        (torn, day, "quarantined"),
        (mended, day, "quarantined"),
        (still_torn, day, "quarantined"),
        (cell, day, "differs_here"),
        (row, day, "missing_here"),
        (staged, day, "missing_here"),
        (waiting, other_day, "differs_here"),
        (of_anyone, other_day, "quarantined"),
    ]);
    let outcome = reconcile(&suite, window, &["--all"]).await?;
    assert_eq!(outcome.code, 4, "{outcome:?}");
    assert_eq!(kinds(&outcome, "found")?, planted);
    let shown = &lines(&outcome, "found")?[&(users.clone(), day)];
    assert_eq!(shown["source"]["active_users"], 77, "{shown}");
    assert_eq!(shown["published"], shown["staged"], "{shown}");
    let landed = &shown["landed"];
    let file = suite.landed_file(landed["file"].as_str().context("no file")?)?;
    let line = usize::try_from(landed["line"].as_u64().context("no line")?)?;
    assert!(file.lines().nth(line - 1).is_some_and(|record| record.contains(users.as_str())), "{landed}");
    assert!(landed["page"].as_u64() > Some(0) && landed["fetched_by"].is_string(), "{landed}");

    let healed = reconcile(&suite, window, &["--all", "--heal"]).await?;
    assert_eq!(healed.code, 4, "{healed:?}");
    assert_eq!(kinds(&healed, "found")?, planted);
    let only_the_source_can = expected([
        (torn.as_str(), day, "quarantined"),
        (still_torn, day, "quarantined"),
        (of_anyone, other_day, "quarantined"),
    ]);
    assert_eq!(kinds(&healed, "remains")?, only_the_source_can);
    assert!(healed.stderr.contains("activityctl quarantine list"), "{}", healed.stderr);

    // The source is mended.
    other_source.records.retain(|record| record["company_id"].is_string());
    other_source.add(of_anyone, 2, 22);
    other_source.write(&suite)?;
    source.set(torn, "events", 8_888);
    source.set(still_torn, "active_users", 1);
    source.write(&suite)?;
    let mended = reconcile(&suite, window, &["--all", "--heal"]).await?;
    assert!(mended.success()?.ends_with("\"by_kind\":{},\"unreadable_records\":0,\"awaiting_run\":0}\n"));
    assert!(reconcile(&suite, window, &["--all"]).await?.success()?.contains("\"mismatches\":0"));
    let url = suite.warehouse_url();
    cli::run(ACTIVITYCTL, &["verify"], &[("WAREHOUSE_URL", &url)]).await?.success().map(drop)
}

#[tokio::test]
async fn planted_differences_are_found_named_and_healed() -> Result<()> {
    differences_are_found_named_and_healed(Settings::default()).await
}

#[tokio::test]
async fn planted_differences_are_found_named_and_healed_on_postgres() -> Result<()> {
    let database = test_postgres::Database::create().await?;
    differences_are_found_named_and_healed(Settings::default().warehouse(database.url())).await
}

#[tokio::test]
async fn nothing_differs_among_twenty_thousand_companies() -> Result<()> {
    let (suite, world, window) = published(20_000, 1, Settings::default()).await?;
    let day = world.days().next().context("no day")?;
    let expected = suite.sources.book.records(day).len();
    let summary = reconcile(&suite, window, &["--all"]).await?.success()?;
    let summary: Value = serde_json::from_str(&summary)?;
    assert_eq!(summary["mismatches"], 0, "{summary}");
    assert!(summary["compared"].as_u64() >= Some(expected as u64) && expected > 10_000, "{summary}");

    // A command for people.
    let date = day.to_string();
    let sampled = suite.command("coordinator", &["reconcile", "--sample", "200", "--date", &date]).await?;
    assert_eq!((sampled.code, sampled.stdout.as_str()), (0, ""), "{sampled:?}");
    assert!(sampled.stderr.ends_with("200 of 200 compared company-days match\n"), "{sampled:?}");
    Ok(())
}

#[tokio::test]
async fn what_differs_is_counted_and_alerts_people_once_a_day() -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let settings = Settings::default().flag("notifier", "--webhook-url", &receiver.url("/hook")).flag(
        "notifier",
        "--webhook-secret",
        "s3cret-of-the-webhook-in-this-test",
    );
    let (suite, _, window) = published(50, 1, settings).await?;
    let mut source = SourceDay::read(&suite, window.start())?;
    source.add("newcomer", 4, 44);
    source.write(&suite)?;
    for _ in 0..2 {
        reconcile(&suite, window, &["--sample", "1000", "--report"]).await?.success()?;
    }
    let alert = receiver.wait_for("/hook", 1).await?.remove(0);
    let text = alert.json.to_string();
    assert!(text.contains("numbers_differ") && text.contains("1 late_at_source"), "{text}");
    assert!(text.contains("newcomer: nothing published, 4 users, 44 events at the source"), "{text}");
    let metrics = suite.admin("coordinator")?.metrics().await?;
    let counted = |kind: &str, count: u32| {
        let name = "company_activity_reconciliation_differences_total";
        metrics
            .lines()
            .any(|line| line.starts_with(name) && line.contains(kind) && line.ends_with(&format!(" {count}")))
    };
    assert!(counted("late_at_source", 2) && counted("missing_here", 0), "{metrics}");

    // Of the two alerts with one key, one arrives.
    suite
        .command("coordinator", &["reconcile", "--all", "--date", &window.start().to_string(), "--heal"])
        .await?
        .success()?;
    assert_eq!(receiver.accepted("/hook").len(), 1);
    Ok(())
}
