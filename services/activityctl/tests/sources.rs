//! What `activityctl sources check` reports about good and bad sources.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::Write,
    sync::{Arc, Mutex},
};

use activityctl::{
    commands::sources::{CheckArgs, check},
    error::Error,
    output::Output,
};
use clap::{Args, Command, FromArgMatches};
use runtime::{Context, StoppedClock};
use sample_sources::{ApiOptions, PRODUCT_USAGE_PATH, UsageBook, serve_api};
use tempfile::TempDir;
use tokio::net::TcpListener;

const EXPORT: &str = "company_id,name,country,industry_tag,last_contact_at\n\
    acme,Acme,US,saas,2026-02-01 09:00:00+00\nbeta,Beta,DE,retail,soon\n";

const USAGE: &str = r#"{"company_id":"acme","date":"2026-02-11","active_users":5,"events":50}"#;

/// The morning of 2026-02-12.
fn clock() -> StoppedClock {
    StoppedClock("2026-02-12T06:00:00Z".parse().unwrap())
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

/// A folder of exports, a product API, and the context whose shutdown stops it.
struct Sources {
    folder: TempDir,
    api: String,
    context: Context,
}

impl Sources {
    async fn new(export: &str, usage: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let exports = folder.path().join("crm/daily");
        fs::create_dir_all(&exports).unwrap();
        fs::write(exports.join("companies_2026-02-10.csv"), export).unwrap();
        let context = Context::new();
        let book = UsageBook::from_ndjson(usage.as_bytes()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}{PRODUCT_USAGE_PATH}", listener.local_addr().unwrap());
        tokio::spawn(serve_api(listener, book, ApiOptions::default(), context.shutdown.clone()));
        Self { folder, api, context }
    }

    async fn check(&self, flags: &[&str]) -> (Result<(), Error>, String) {
        let data_dir = self.folder.path().to_str().unwrap();
        let given = ["--data-dir", data_dir, "--product-api-url", &self.api];
        let command = CheckArgs::augment_args(Command::new("check").no_binary_name(true));
        let matches = command.get_matches_from(given.iter().chain(flags));
        let args = CheckArgs::from_arg_matches(&matches).unwrap();
        let captured = Captured::default();
        let outcome = check(&args, Arc::new(clock()), &mut Output::plain(captured.clone())).await;
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        (outcome, text)
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        self.context.shutdown.cancel();
    }
}

#[track_caller]
fn assert_reports(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn what_is_understood_of_both_sources_is_reported() {
    let sources = Sources::new(EXPORT, USAGE).await;
    let (outcome, text) = sources.check(&[]).await;
    outcome.unwrap();
    assert_reports(
        &text,
        &[
            "newest       companies_2026-02-10.csv",
            "counts from  2026-02-10",
            "encoding     UTF-8",
            "delimiter    ','",
            "column       last_contact_at <- \"last_contact_at\"",
            "rows         2, 1 with unreadable fields, 0 rejected",
            "sample       acme | Acme | US | saas | 2026-02-01T09:00:00+00:00",
            "reason       line 3: last_contact_at: \"soon\" is no timestamp",
            "day          2026-02-11",
            "first page   1 records of up to 100, 0 rejected",
            "sample       acme | 2026-02-11 | 5 users | 50 events",
        ],
    );
    assert!(!text.contains("problem"), "{text}");
}

#[tokio::test]
async fn an_export_of_another_crm_is_reported_with_the_setting_that_reads_it() {
    let export = "Account ID,Account Name,Billing Country,Industry\n001,Acme,US,Retail\n";
    let sources = Sources::new(export, USAGE).await;
    let (outcome, text) = sources.check(&[]).await;
    let error = outcome.unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().as_str()),
        (1, "a run could not work with the CRM export")
    );
    assert_reports(&text, &["there is no column company_id", "use --crm-columns-preset salesforce"]);

    let (outcome, text) = sources.check(&["--crm-columns-preset", "salesforce"]).await;
    outcome.unwrap();
    assert_reports(
        &text,
        &[
            "column       company_id <- \"Account ID\"",
            "no company of the product API's page is in the CRM export",
            "there is no column last_contact_at",
        ],
    );
    let columns = "company_id=\"account  id\",name=\"Account Name\"";
    let (outcome, text) = sources.check(&["--crm-columns", columns]).await;
    outcome.unwrap();
    assert_reports(&text, &["sample       001 | Acme | - | - | -"]);
}

#[tokio::test]
async fn a_product_api_that_cannot_be_used_fails_the_check() {
    let mut sources = Sources::new(EXPORT, USAGE).await;
    sources.api = "http://127.0.0.1:9/v1/usage".to_owned();
    let (outcome, text) = sources.check(&[]).await;
    assert_eq!(outcome.unwrap_err().to_string(), "a run could not work with the product API");
    assert_reports(&text, &["problem      2026-02-11 page 1"]);

    let sources =
        Sources::new(EXPORT, r#"{"company_id":"","date":"2026-02-11","active_users":5,"events":50}"#).await;
    let (outcome, text) = sources.check(&[]).await;
    assert_eq!(outcome.unwrap_err().exit_code(), 1);
    assert_reports(&text, &["none of the 1 records of 2026-02-11 is usage: record 1: company_id is empty"]);
}

#[tokio::test]
async fn another_day_may_be_named_and_one_without_usage_is_remarked() {
    let sources = Sources::new(EXPORT, USAGE).await;
    let (outcome, text) = sources.check(&["--date", "2026-02-05"]).await;
    outcome.unwrap();
    assert_reports(&text, &["there is no usage on this day; name a day that has some with --date"]);
}

#[tokio::test]
async fn the_report_is_also_one_json_object() {
    let sources = Sources::new(EXPORT, USAGE).await;
    let (outcome, text) = sources.check(&["--json"]).await;
    outcome.unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["is_usable"], true);
    assert_eq!(report["crm"]["newest"]["columns"][1]["heading"], "name");
    assert_eq!(report["crm"]["newest"]["effective_on"], "2026-02-10");
    assert_eq!(report["product_api"]["sample"][0]["events"], 50);
    assert_eq!(report["crm"]["problems"], serde_json::json!([]));
}
