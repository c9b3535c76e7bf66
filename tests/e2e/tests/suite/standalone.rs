//! The suite in one process, and the command line as people use it.

use std::fs;

use anyhow::{Context as _, Result};
use domain::run::DAILY_PIPELINE;
use e2e::{
    alerts::AlertReceiver,
    cli,
    fact_table::FactTable,
    services,
    settings::{Layout, Settings},
    sources::API_TOKEN,
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use proto::pipeline::v1::RunState;
use sample_sources::Fault;
use test_telemetry::Receiver;

const SMALL_DEMO: [&str; 5] = ["demo", "--companies", "20", "--days", "20"];

#[tokio::test]
async fn the_demo_shows_a_result_and_leaves_nothing_behind() -> Result<()> {
    let home = tempfile::tempdir()?;
    let folder = home.path().to_str().context("a temporary folder's path is text")?;
    let environment = [("TMPDIR", folder), ("HOME", folder)];
    let shown = cli::run(ACTIVITYCTL, &SMALL_DEMO, &environment).await?.success()?;
    for text in ["fact_company_activity", "act_validate_row_counts", "21 days are published", "churn risks"] {
        assert!(shown.contains(text), "{text:?} is not in {shown}");
    }
    assert_eq!(fs::read_dir(home.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_demo_that_is_given_a_place_keeps_everything_there() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    let data = data.to_str().context("a temporary folder's path is text")?;
    let demo = [&SMALL_DEMO[..], &["--data-dir", data]].concat();
    cli::run(ACTIVITYCTL, &demo, &[]).await?.success()?;
    for kept in ["warehouse.sqlite", "usage.ndjson", "crm/daily", "landing"] {
        assert!(fs::exists(format!("{data}/{kept}"))?, "{kept}");
    }
    let again = cli::run(ACTIVITYCTL, &demo, &[]).await?;
    assert_ne!(again.code, 0);
    assert!(again.stderr.contains("not empty"), "{}", again.stderr);
    Ok(())
}

#[tokio::test]
async fn every_format_of_the_command_line_reports_the_same_rows() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    let (start, end) = (vector.window.start().to_string(), vector.window.end().to_string());
    let list =
        |format: &'static str| ["activity", "list", "--from", &start, "--to", &end, "--format", format];

    let csv = suite.command("activity", &list("csv")).await?.success()?;
    FactTable::parse(&csv)?.must_equal(&vector.expected)?;
    let json = suite.command("activity", &list("json")).await?.success()?;
    FactTable::parse_json(&json)?.must_equal(&vector.expected)?;
    assert!(json.lines().all(|line| line.contains("\"publication\":{")), "{json}");
    let table = suite.command("activity", &list("table")).await?.success()?;
    assert!(table.contains("Acme, Inc") && table.contains("2026-01-01"), "{table}");

    let get = ["activity", "get", "acme", "--date", "2026-01-02", "--format", "json"];
    let row: serde_json::Value = serde_json::from_str(&suite.command("activity", &get).await?.success()?)?;
    assert!(row.to_string().contains("\"7d_active_users\":10"), "{row}");
    let missing = ["activity", "get", "nobody", "--date", "2026-01-02"];
    let missing = suite.command("activity", &missing).await?;
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("NOT_FOUND"), "{}", missing.stderr);
    Ok(())
}

#[tokio::test]
async fn runs_freshness_and_churn_are_reported() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let run = suite.run_to_end(vector.window, false).await?;

    let runs = suite.command("coordinator", &["runs", "--format", "json"]).await?.success()?;
    assert!(runs.contains(&run.run_id) && runs.contains("SUCCEEDED"), "{runs}");
    let shown = suite.command("coordinator", &["runs", "show", &run.run_id]).await?.success()?;
    for stage in &run.stages {
        assert!(shown.contains(&stage.stage), "{shown}");
    }
    let watched = suite.command("coordinator", &["watch", &run.run_id]).await?;
    assert_eq!(watched.code, 0, "{}", watched.stderr);
    let freshness = suite.command("activity", &["freshness"]).await?.success()?;
    assert!(freshness.contains(&vector.window.end().to_string()), "{freshness}");
    let churn = suite.command("activity", &["churn", "--date", "2026-01-24"]).await?.success()?;
    assert!(churn.contains("silent"), "{churn}");
    Ok(())
}

#[tokio::test]
async fn a_failed_run_that_was_waited_for_has_its_own_exit_code() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    let trigger = ["trigger", "--from", "2026-01-01", "--to", "2026-01-01", "--wait"];
    let outcome = suite.command("coordinator", &trigger).await?;
    assert_eq!(outcome.code, 3, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("act_call_product_api"), "{}", outcome.stderr);
    Ok(())
}

#[tokio::test]
async fn every_binary_explains_itself() -> Result<()> {
    for name in services::all().into_iter().chain(services::sites()).chain([ACTIVITYCTL]) {
        let help = cli::run(name, &["--help"], &[]).await?.success()?;
        assert!(help.contains("Usage:") && help.contains(name), "{name}: {help}");
        let version = cli::run(name, &["--version"], &[]).await?.success()?;
        assert!(version.contains(env!("CARGO_PKG_VERSION")), "{name}: {version}");
        let wrong = cli::run(name, &["--no-such-flag"], &[]).await?;
        assert_eq!(wrong.code, 2, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn a_service_without_what_it_needs_says_so_and_fails() -> Result<()> {
    for name in services::all() {
        let outcome = cli::run(name, &["--listen", "127.0.0.1:0"], &[]).await?;
        assert_eq!(outcome.code, 2, "{name}");
        assert!(outcome.stderr.contains("--warehouse-url"), "{name}: {}", outcome.stderr);
    }
    Ok(())
}

const SLACK: &str = "/services/T0/B0/slack-7f21";
const TEAMS: &str = "/workflows/teams-9c44";
const WEBHOOK: &str = "/hooks/plain-1b7d";
const SIGNING_KEY: &str = "signing-key-55aa";

async fn a_failing_run_shows_no_secret(layout: Layout) -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let collector = Receiver::start().await?;
    let settings = Settings::default()
        .telemetry(&collector.endpoint())
        .flag("notifier", "--slack-webhook-url", &receiver.url(SLACK))
        .flag("notifier", "--teams-webhook-url", &receiver.url(TEAMS))
        .flag("notifier", "--webhook-url", &receiver.url(WEBHOOK))
        .flag("notifier", "--webhook-secret", SIGNING_KEY)
        .variable("LOG", "debug");
    let suite = Suite::start(layout, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.faults.fail_next(3, Fault::CutBody);
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    receiver.refuse_next(2);
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Failed);
    let mut reported = vec![suite.command("coordinator", &["runs", "show", &run.run_id]).await?.success()?];
    for path in [SLACK, TEAMS, WEBHOOK] {
        let deliveries = receiver.wait_for(path, 1).await?;
        reported
            .extend(deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned()));
    }
    reported.push(suite.logs());
    for service in suite.services() {
        reported.push(suite.admin(service)?.metrics().await?);
    }
    for name in [DAILY_PIPELINE, "act_send_failure_alert"] {
        collector.span(|span| span.name == name).await?;
    }
    reported.extend(collector.spans().iter().map(|span| format!("{span:?}")));
    for secret in [API_TOKEN, SLACK, TEAMS, WEBHOOK, SIGNING_KEY] {
        let leak = reported.iter().flat_map(|text| text.lines()).find(|line| line.contains(secret));
        assert_eq!(leak, None, "{secret} was shown");
    }
    Ok(())
}

#[tokio::test]
async fn a_failing_run_in_one_process_shows_no_secret() -> Result<()> {
    a_failing_run_shows_no_secret(Layout::Standalone).await
}

#[tokio::test]
async fn a_failing_run_in_separate_processes_shows_no_secret() -> Result<()> {
    a_failing_run_shows_no_secret(Layout::Separate).await
}
