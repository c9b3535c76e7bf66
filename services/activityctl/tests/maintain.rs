//! Maintenance, on a warehouse with months of history and on files of every kind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use activityctl::{
    commands::{
        maintain::{MaintainArgs, maintain},
        verify::{self, VerifyArgs},
    },
    error::Error,
    output::Output,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::{Args, Command, FromArgMatches};
use domain::{ActionOutcome, run::STAGE_VALIDATE};
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tempfile::TempDir;
use test_postgres::Database;
use warehouse::{AuditQuery, NewRun, SharedWarehouse, WindowChoice};
use warehouse_conformance::{
    reference::{ExpectedRow, Inputs},
    scene::{
        UsageOfDay, all_days, at, company, day, days, export, hold_run, id, new_run, publish_run, published,
        take_up, unpublished,
    },
};

/// History begins two months earlier, at [`day`] 0.
const NOW: &str = "2026-03-15T03:00:00Z";

fn now() -> DateTime<Utc> {
    NOW.parse().unwrap()
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

fn parsed<A: Args + FromArgMatches>(arguments: &[&str]) -> A {
    let command = A::augment_args(Command::new("test").no_binary_name(true));
    A::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
}

async fn try_maintain(now: DateTime<Utc>, arguments: &[&str]) -> (Result<(), Error>, Vec<String>) {
    let captured = Captured::default();
    let args: MaintainArgs = parsed(arguments);
    let outcome = maintain(&args, now, &mut Output::plain(captured.clone())).await;
    (outcome, captured.lines())
}

async fn maintained(now: DateTime<Utc>, arguments: &[&str]) -> Vec<String> {
    let (outcome, lines) = try_maintain(now, arguments).await;
    outcome.unwrap();
    lines
}

async fn partitions(database: &Database) -> Vec<String> {
    let mut connection = database.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap();
    let names = sqlx::query_scalar(
        "SELECT inhrelid::regclass::TEXT FROM pg_inherits
         WHERE inhparent IN ('fact_company_activity'::regclass, 'stg_product_usage'::regclass) ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    names
}

/// Usage of two companies on every day, each day different.
fn daily(from: i64, to: i64) -> Vec<UsageOfDay<'static>> {
    let number = |on: i64, below: i64| on.rem_euclid(below);
    (from..=to)
        .map(|on| {
            let users = i32::try_from(number(on, 5)).unwrap();
            (day(on), vec![("acme", users, number(on, 7)), ("bolt", users + 1, number(on, 3))])
        })
        .collect()
}

fn accept(inputs: &mut Inputs, usage: &[UsageOfDay<'_>]) {
    for (on, companies) in usage {
        inputs.usage.retain(|(_, known), _| known != on);
        for (company_id, users, events) in companies {
            inputs.usage.insert((id(company_id), *on), (*users, *events));
        }
    }
}

#[tokio::test]
async fn two_months_are_kept_and_go_on_as_if_nothing_had_been_forgotten() {
    let database = Database::create().await.unwrap();
    let url = database.url();
    let warehouse = warehouse::open(&url).await.unwrap();
    let companies = vec![company("acme", "Acme"), company("bolt", "Bolt")];
    let mut inputs = Inputs::default();
    let snapshot = companies.iter().map(|company| (company.company_id.clone(), company.clone()));
    inputs.snapshots.insert(day(-130), snapshot.collect());
    // From September to the day before yesterday.
    let usage = daily(-135, 71);
    accept(&mut inputs, &usage);
    publish_run(&warehouse, days(-122, 71), at(1), &[(export(day(-130), "1"), companies)], &usage).await;

    let keep = ["--warehouse-url", &url, "--keep-months", "2"];
    let reported = maintained(now(), &[&keep[..], &["--dry-run"]].concat()).await;
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(
        reported[0].starts_with("would forget 122 published days before 2026-01-01: 244 rows"),
        "{reported:?}"
    );
    let reported = maintained(now(), &keep).await;
    assert_eq!(
        reported,
        ["forgot 122 published days before 2026-01-01: 244 rows, 0 events; 104 days of usage before \
             2025-12-01: 208 records; 8 partitions"]
    );
    let kept = [
        "fact_company_activity_y2026m01",
        "fact_company_activity_y2026m02",
        "fact_company_activity_y2026m03",
        "stg_product_usage_y2025m12",
        "stg_product_usage_y2026m01",
        "stg_product_usage_y2026m02",
        "stg_product_usage_y2026m03",
    ];
    assert_eq!(partitions(&database).await, kept);
    let verified = Captured::default();
    let args: VerifyArgs = parsed(&["--warehouse-url", &url]);
    verify::execute(&args, &mut Output::plain(verified.clone())).await.unwrap();
    assert_eq!(verified.lines(), ["72 days verified"]);

    // The next night brings yesterday, and late records for the oldest kept month.
    let new = [daily(72, 72), vec![(day(0), vec![("acme", 9, 9)]), (day(-3), vec![("bolt", 9, 9)])]].concat();
    accept(&mut inputs, &new);
    let scheduled = new_run(unpublished(day(72)));
    assert_eq!(warehouse.create_run(scheduled).await.unwrap().run.window, days(72, 72));
    let run = take_up(&warehouse, at(2)).await;
    run.ingest(&[], &new).await;
    run.build().await;
    run.publish().await;
    let rows: Vec<ExpectedRow> =
        published(&warehouse, days(-400, 400)).await.iter().map(ExpectedRow::from).collect();
    assert_eq!(rows, inputs.fact(&days(0, 72).days().collect::<BTreeSet<NaiveDate>>()));
    assert_eq!(maintained(now(), &keep).await, ["nothing to remove"]);
}

#[tokio::test]
async fn a_task_that_fails_is_reported_and_the_others_are_done() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
    let warehouse = warehouse::open(&url).await.unwrap();
    let failed = hold_run(&warehouse, days(0, 0), now()).await;
    failed.ingest(&[], &all_days(days(0, 0), &[(day(0), vec![("acme", 1, 1)])])).await;
    failed.build().await;
    failed.fail_at(STAGE_VALIDATE).await;
    need_old_days(&warehouse).await;
    let arguments = ["--warehouse-url", &url, "--keep-months", "2"];
    drop(try_maintain(now(), &[arguments.as_slice(), &["--dry-run"]].concat()).await);
    let recorded = warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap();
    assert_eq!(recorded, [], "a dry run is no action");
    let (outcome, lines) = try_maintain(now() + TimeDelta::days(8), &arguments).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.exit_code()),
        ("1 of 5 tasks failed, as reported above", 1)
    );
    assert_eq!(
        lines,
        [format!("discarded the 1 candidate rows of run {}, which has ended", failed.run.run_id)]
    );
    let recorded = warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap().pop().unwrap();
    assert!(recorded.actor.starts_with("local:"), "{recorded:?}");
    assert_eq!(
        recorded.details,
        "keep-months 2, keep-history-days 90, keep-landed-months 0, leftovers-after 7days"
    );
    let end = recorded.end.unwrap();
    assert_eq!((end.outcome, end.message), (ActionOutcome::Failed, error.to_string()));
}

/// An active run over days that would be deleted.
async fn need_old_days(warehouse: &SharedWarehouse) {
    let new = NewRun { pipeline: "pl_other".to_owned(), ..new_run(WindowChoice::Days(days(-40, -40))) };
    warehouse.create_run(new).await.unwrap();
    let staging = hold_run(warehouse, days(-90, -90), now()).await;
    staging.ingest(&[], &daily(-90, -90)).await;
    staging.cancel().await;
}

/// Files, some of which a warehouse references.
struct Landing {
    folder: TempDir,
    url: String,
    storage: String,
}

const HASH: &str = "0123456789abcdef0123456789abcdef";

fn landed(on: i64) -> String {
    format!("product_usage/{on}/usage_{on}.json", on = day(on))
}

fn copy(name: &str, hash: &str) -> String {
    format!("crm/archive/{name}/{hash}.csv")
}

impl Landing {
    /// Days 0 to 2 are loaded, and a copy of an export is kept; all files were written at [`now`].
    async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/warehouse.sqlite", folder.path().display());
        let storage = format!("file://{}/raw", folder.path().display());
        let warehouse = warehouse::open(&url).await.unwrap();
        publish_run(&warehouse, days(0, 2), at(1), &[], &daily(0, 2)).await;
        let landing = Self { folder, url, storage };
        for path in [landed(0), landed(1), landed(2), copy("a.csv", HASH)] {
            landing.place(&path);
        }
        landing
    }

    fn place(&self, path: &str) {
        self.place_at(path, now());
    }

    fn place_at(&self, path: &str, written: DateTime<Utc>) {
        let path = self.folder.path().join("raw").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(path).unwrap();
        file.write_all(b"12345").unwrap();
        file.set_modified(SystemTime::from(written)).unwrap();
    }

    fn files(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect(&self.folder.path().join("raw"), &mut found);
        found
    }

    async fn maintained(&self, days_later: i64, more: &[&str]) -> Vec<String> {
        let known = ["--warehouse-url", &self.url, "--landing-url", &self.storage];
        let archive = ["--crm-archive-url", &self.storage];
        maintained(now() + TimeDelta::days(days_later), &[&known[..], &archive[..], more].concat()).await
    }
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            found.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[tokio::test]
async fn leftovers_go_once_they_are_old_and_nothing_else_does() {
    let landing = Landing::create().await;
    let needed_or_foreign = {
        landing.place("crm/daily/companies.csv");
        landing.place("events/2026.ndjson");
        landing.place(&format!("crm/daily/{HASH}.csv"));
        landing.place("product_usage/notes.json");
        landing.place("product_usage/notes.json#1");
        // From an export that was refused, or that another one has replaced.
        landing.place(&copy("a.csv", &HASH.replace('0', "e")));
        landing.place_at(&landed(9), now() + TimeDelta::days(6));
        landing.files()
    };
    let other = HASH.replace('0', "f");
    for leftover in [
        landed(5),
        format!("{}#3", landed(0)),
        format!("{}#1", landed(6)),
        format!("{}#1", copy("a.csv", &other)),
    ] {
        landing.place(&leftover);
    }
    let all = landing.files();
    assert_eq!(landing.maintained(6, &[]).await, ["nothing to remove"]);
    let reported = [
        "1 file (5 B) of landed days that nothing refers to",
        "2 files (10 B) of temporaries of landed days",
        "1 file (5 B) of temporaries of copies of CRM exports",
    ];
    let would = landing.maintained(8, &["--dry-run"]).await;
    assert_eq!(would, reported.map(|line| format!("would remove {line}")));
    assert_eq!(landing.files(), all);
    assert_eq!(landing.maintained(8, &[]).await, reported.map(|line| format!("removed {line}")));
    assert_eq!(landing.files(), needed_or_foreign);
    assert_eq!(landing.maintained(8, &[]).await, ["nothing to remove"]);
}

#[tokio::test]
async fn landed_days_of_old_months_go_although_they_were_loaded() {
    let landing = Landing::create().await;
    // Landed again a moment ago, and about to be reloaded.
    landing.place_at(&landed(1), now() + TimeDelta::days(19));
    landing.place(&landed(40));
    let reported = landing.maintained(20, &["--keep-landed-months", "2"]).await;
    // In April: files from before February, and the day of February that was never loaded.
    let expected = [
        "removed 2 files (10 B) of landed days before 2026-02-01",
        "removed 1 file (5 B) of landed days that nothing refers to",
    ];
    assert_eq!(reported, expected);
    let left = landing.files();
    assert!(left.contains("usage_2026-01-02.json"), "{left:?}");
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test]
async fn a_warehouse_that_knows_none_of_the_files_removes_none() {
    let landing = Landing::create().await;
    let other = format!("sqlite://{}/other.sqlite", landing.folder.path().display());
    let before = landing.files();
    let locations = ["--landing-url", &landing.storage, "--crm-archive-url", &landing.storage];
    let arguments = [&["--warehouse-url", &other][..], &locations].concat();
    assert_eq!(maintained(now() + TimeDelta::days(99), &arguments).await, ["nothing to remove"]);
    assert_eq!(landing.files(), before);
}

#[tokio::test]
async fn wrong_usage_is_reported_before_anything_is_opened() {
    let nowhere = ["--warehouse-url", "sqlite:///proc/nowhere/warehouse.sqlite"];
    for (flags, message) in [
        (["--leftovers-after", "23h"], "--leftovers-after is less than 1d"),
        (["--keep-landed-months", "3"], "--keep-landed-months needs --landing-url"),
    ] {
        let (outcome, lines) = try_maintain(now(), &[&nowhere[..], &flags].concat()).await;
        let error = outcome.unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!((error.exit_code(), lines.len()), (2, 0));
    }
}
