//! An operator works with rows that could not be used, by the command line alone.

use anyhow::{Context as _, Result};
use domain::{
    date_window::parse_day,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use e2e::{suite::Suite, vectors::Vector};
use proto::pipeline::v1::RunState;
use serde_json::Value;

const EXPORT: &str = "companies_2026-01-01.csv";
const LANDED: &str = "product_usage/2026-01-03/usage_2026-01-03.json";
/// Says nothing that the fact would show, but makes the day's answer readable.
const SILENT: &str = r#"{"company_id":"acme","date":"2026-01-03","active_users":0,"events":0}"#;
const NOBODYS: &str = r#"{"company_id":" ","date":"2026-01-03","active_users":1,"events":1}"#;

/// What a command prints as one JSON object a line.
async fn asked(suite: &Suite, arguments: &[&str]) -> Result<Vec<Value>> {
    let answer =
        suite.command("coordinator", &[arguments, &["--format", "json"]].concat()).await?.success()?;
    answer.lines().map(|line| serde_json::from_str(line).context("no JSON")).collect()
}

/// File and line of rows.
fn places(rows: &[Value]) -> Vec<(&str, u64)> {
    rows.iter()
        .map(|row| (row["origin"].as_str().unwrap_or_default(), row["line"].as_u64().unwrap_or_default()))
        .collect()
}

#[tokio::test]
async fn rows_are_listed_accepted_and_replayed_until_the_fact_is_as_if_they_had_been_readable() -> Result<()>
{
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let (_, export) = vector.exports.first().context("there is an export")?;
    suite.sources.put_export(EXPORT, export.replace("2025-12-20T09:30:00Z", "20/12/25"))?;
    let day = parse_day("2026-01-03").context("a day")?;
    let records = suite.sources.book.records(day);
    let broken: Vec<String> = records.iter().map(|record| record.replace(": 4}", r#": "four"}"#)).collect();
    assert_ne!(broken, records);
    let others = [SILENT, NOBODYS].map(str::to_owned);
    suite.sources.book.replace_day(day, broken.into_iter().chain(others.clone()))?;
    suite.publish(vector.window).await?;
    assert!(suite.fact(vector.window).await?.must_equal(&vector.expected).is_err());

    let rows = asked(&suite, &["quarantine", "list"]).await?;
    assert_eq!(places(&rows), [(EXPORT, 2), (LANDED, 1), (LANDED, 3)]);
    let of_field =
        asked(&suite, &["quarantine", "list", "--reason", "field", "--date", "2026-01-03"]).await?;
    assert_eq!(places(&of_field), [(LANDED, 3)]);
    let counts = asked(&suite, &["quarantine", "list", "--by", "reason"]).await?;
    let counted: Vec<(&str, &str)> = counts
        .iter()
        .map(|group| {
            (group["stage"].as_str().unwrap_or_default(), group["kind"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        counted,
        [
            (STAGE_CALL_PRODUCT_API, "COMPANY_ID"),
            (STAGE_CALL_PRODUCT_API, "FIELD"),
            (STAGE_COPY_CRM_CSV, "FIELD")
        ]
    );
    let shown = suite.command("coordinator", &["quarantine", "show", EXPORT, "2"]).await?.success()?;
    for part in ["last_contact_at", "20/12/25", "2026-01-01", STAGE_COPY_CRM_CSV] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
    let csv = suite.command("coordinator", &["quarantine", "list", "--format", "csv"]).await?.success()?;
    assert!(csv.starts_with("origin,line,stage,") && csv.lines().count() == 4, "{csv}");

    // Nobody will ever say whose that record was.
    let accept = ["quarantine", "accept", "--origin", LANDED, "--line", "1", "--why", "nobody's"];
    let unconfirmed = suite.command("coordinator", &accept).await?;
    assert!(unconfirmed.stderr.contains("add --yes"), "{unconfirmed:?}");
    let accepted = suite.command("coordinator", &[&accept[..], &["--yes"]].concat()).await?.success()?;
    assert_eq!(accepted, "accepted 1 rows\n");
    assert_eq!(places(&asked(&suite, &["quarantine", "list"]).await?), [(EXPORT, 2), (LANDED, 3)]);

    // Nothing is mended: both remain, with their reasons.
    let replay = ["quarantine", "replay", "--yes", "--wait"];
    let report = asked(&suite, &replay).await?;
    assert_eq!(places(&report), [(EXPORT, 2), (LANDED, 3)]);
    assert!(report.iter().all(|row| row["left"] == false && row["reason"] != ""), "{report:?}");

    suite.sources.put_export(EXPORT, export)?;
    suite.sources.book.replace_day(day, records.into_iter().chain(others))?;
    let report = asked(&suite, &replay).await?;
    assert_eq!(places(&report), [(EXPORT, 2), (LANDED, 3)]);
    assert!(report.iter().all(|row| row["left"] == true), "{report:?}");
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    assert_eq!(asked(&suite, &["quarantine", "list"]).await?, [Value::Null; 0]);
    let kept = asked(&suite, &["quarantine", "list", "--state", "accepted"]).await?;
    assert_eq!(places(&kept), [(LANDED, 1)]);
    let kept = kept.first().context("a row")?;
    assert_eq!((&kept["accepted_by"], &kept["accepted_why"]), (&"anonymous".into(), &"nobody's".into()));
    let trail = asked(&suite, &["audit-log"]).await?;
    let done: Vec<&str> = trail.iter().filter_map(|entry| entry["action"].as_str()).collect();
    assert_eq!(done, ["quarantine-replay", "quarantine-replay", "quarantine-accept", "trigger"]);
    Ok(())
}

#[tokio::test]
async fn a_run_that_too_many_rejected_rows_failed_goes_on_once_they_are_accepted() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let (_, export) = vector.exports.first().context("there is an export")?;
    let nameless = ",Nobody,US,saas,\n".repeat(4);
    suite.sources.put_export(EXPORT, format!("{export}{nameless}"))?;
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Failed, "{run:#?}");
    let failed = e2e::runs::stage(&run, STAGE_COPY_CRM_CSV)?;
    for command in ["activityctl quarantine list --origin", "activityctl quarantine accept --origin"] {
        assert!(failed.error_message.contains(command), "{failed:#?}");
    }

    let accept = ["quarantine", "accept", "--origin", EXPORT, "--why", "test accounts", "--yes"];
    suite.command("coordinator", &accept).await?.success()?;
    suite.command("coordinator", &["retry", &run.run_id, "--wait"]).await?.success()?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}
