//! Failures are reported clearly, and lose nothing that was there before.

use anyhow::{Context as _, Result};
use domain::{
    DateWindow,
    run::{DAILY_PIPELINE, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_VALIDATE},
};
use e2e::{
    alerts::{AlertReceiver, Delivery},
    runs::{counters, has_begun, stage, stage_states},
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{RetryRunRequest, Run, RunState, StageState};
use sample_sources::Fault;
use sqlx::Row as _;

const HEADER: &str = "company_id,name,country,industry_tag,last_contact_at";

/// A suite with all days but the vector's last published.
async fn suite_before_the_last_day(settings: Settings) -> Result<(Suite, Vector, DateWindow)> {
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let last = vector.window.end();
    let day_before = last.pred_opt().context("there is a day before")?;
    suite.publish(DateWindow::new(vector.window.start(), day_before)?).await?;
    Ok((suite, vector, DateWindow::day(last)))
}

/// Runs the last day, which must fail at `failing` and leave the published fact
/// unchanged byte for byte; returns the run.
async fn fails_and_changes_nothing(
    suite: &Suite,
    window: DateWindow,
    day: DateWindow,
    failing: &str,
) -> Result<Run> {
    let before = suite.fact_csv(window).await?;
    let run = suite.run_to_end(day, false).await?;
    assert_eq!(run.state(), RunState::Failed, "{run:#?}");
    assert_eq!(stage(&run, failing)?.state(), StageState::Failed, "{run:#?}");
    assert_eq!(suite.fact_csv(window).await?, before);
    Ok(run)
}

async fn broken_export(content: &str, reported: &[&str]) -> Result<()> {
    let (suite, vector, day) = suite_before_the_last_day(Settings::default()).await?;
    suite.sources.put_export("companies_2026-01-24.csv", content)?;
    let run = fails_and_changes_nothing(&suite, vector.window, day, STAGE_COPY_CRM_CSV).await?;
    let failed = stage(&run, STAGE_COPY_CRM_CSV)?;
    for text in ["companies_2026-01-24.csv"].iter().chain(reported) {
        assert!(failed.error_message.contains(text), "{text:?} is not in {:?}", failed.error_message);
    }
    // No day of API data is lost, and nothing that cannot work is tried.
    use StageState::{Failed, Skipped, Succeeded};
    assert_eq!(stage_states(&run), [Failed, Succeeded, Skipped, Skipped]);
    assert_eq!((failed.error_code.as_str(), failed.attempt), ("DATA_LOSS", 1));

    // Once the source is fixed, the same run continues where it stopped.
    suite
        .sources
        .put_export("companies_2026-01-24.csv", vector.exports.first().map_or("", |(_, content)| content))?;
    let retried = suite.pipeline()?.retry_run(RetryRunRequest { run_id: run.run_id.clone() }).await?;
    assert_eq!(retried.into_inner().run.context("no run")?.run_id, run.run_id);
    suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn a_file_of_nothing_but_unterminated_quotes_is_an_error_with_its_lines() -> Result<()> {
    let rows = ["acme", "bolt", "zeta"].map(|id| format!("{id},\"{id},US,saas,\n")).concat();
    broken_export(&format!("{HEADER}\n{rows}"), &["line 2"]).await
}

#[tokio::test]
async fn an_unterminated_quote_costs_its_row_alone() -> Result<()> {
    let (suite, _, day) = suite_before_the_last_day(Settings::default()).await?;
    let export = format!("{HEADER}\nacme,Acme,US,saas,\nbolt,\"Bolt,DE,retail,\n");
    suite.sources.put_export("companies_2026-01-24.csv", &export)?;
    let run = suite.run_to_end(day, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(counters(&run, STAGE_COPY_CRM_CSV)?.rows_rejected, 1);
    let row =
        sqlx::query("SELECT origin, line, raw FROM quarantine").fetch_one(&suite.warehouse().await?).await?;
    assert_eq!(row.get::<String, _>("origin"), "companies_2026-01-24.csv");
    assert_eq!(row.get::<i64, _>("line"), 3);
    assert_eq!(row.get::<String, _>("raw"), "bolt,\"Bolt,DE,retail,");
    Ok(())
}

#[tokio::test]
async fn a_missing_company_id_column_is_an_error_by_name() -> Result<()> {
    broken_export("id,name,country,industry_tag,last_contact_at\nacme,Acme,US,saas,\n", &["company_id"]).await
}

#[tokio::test]
async fn a_column_that_occurs_twice_is_an_error_by_name() -> Result<()> {
    broken_export(&format!("{HEADER},country\nacme,Acme,US,saas,,DE\n"), &["country"]).await
}

#[tokio::test]
async fn an_export_that_lost_most_companies_is_not_believed() -> Result<()> {
    broken_export(&format!("{HEADER}\nacme,Acme,US,saas,\n"), &[]).await
}

/// Makes every call of the product API fail with `fault` until it is fixed.
async fn broken_api(fault: Fault, code: &str, attempts: u32) -> Result<()> {
    let (suite, vector, day) = suite_before_the_last_day(Settings::default()).await?;
    suite.sources.faults.fail_next(usize::MAX / 2, fault);
    let run = fails_and_changes_nothing(&suite, vector.window, day, STAGE_CALL_PRODUCT_API).await?;
    let failed = stage(&run, STAGE_CALL_PRODUCT_API)?;
    assert_eq!((failed.error_code.as_str(), failed.attempt), (code, attempts), "{failed:#?}");
    assert!(failed.error_message.contains("product API"), "{failed:#?}");
    use StageState::{Failed, Skipped, Succeeded};
    assert_eq!(stage_states(&run), [Succeeded, Failed, Skipped, Skipped]);

    suite.sources.faults.clear();
    suite.pipeline()?.retry_run(RetryRunRequest { run_id: run.run_id.clone() }).await?;
    suite.watch_until(&run.run_id, |run| run.state() == RunState::Succeeded).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn a_refused_token_fails_at_once() -> Result<()> {
    broken_api(Fault::status(401), "UNAUTHENTICATED", 1).await
}

#[tokio::test]
async fn an_api_that_keeps_failing_fails_the_run_after_its_retries() -> Result<()> {
    broken_api(Fault::status(500), "UNAVAILABLE", 4).await
}

#[tokio::test]
async fn an_answer_that_is_no_json_fails_at_once() -> Result<()> {
    broken_api(Fault::GarbageBody, "DATA_LOSS", 1).await
}

#[tokio::test]
async fn passing_faults_of_the_product_api_pass_unnoticed() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.faults.fail_next(1, Fault::status(500));
    suite.sources.faults.fail_next(1, Fault::too_many_requests(1));
    suite.sources.faults.fail_next(1, Fault::CutBody);
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(suite.sources.faults.pending(), 0);
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn an_empty_answer_for_a_day_that_had_records_is_not_believed() -> Result<()> {
    let suite = Suite::standalone().await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    let before = suite.fact_csv(vector.window).await?;
    let day = vector.window.start();
    suite.sources.book.replace_day(day, Vec::<String>::new())?;

    let run = suite.run_to_end(vector.window, true).await?;
    assert_eq!(run.state(), RunState::Failed, "{run:#?}");
    let failed = stage(&run, STAGE_CALL_PRODUCT_API)?;
    assert_eq!(failed.error_code, "DATA_LOSS", "{failed:#?}");
    assert!(failed.error_message.contains(&day.to_string()), "{failed:#?}");
    assert_eq!(suite.fact_csv(vector.window).await?, before);
    Ok(())
}

#[tokio::test]
async fn an_audit_that_blocks_leaves_the_published_table_alone() -> Result<()> {
    let audits = tempfile::NamedTempFile::new()?;
    std::fs::write(&audits, "source_rows_present: block\n")?;
    let receiver = AlertReceiver::start().await?;
    let settings = Settings::default()
        .flag("transform", "--audit-file", &audits.path().display().to_string())
        .flag("notifier", "--webhook-url", &receiver.url(WEBHOOK));
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let full = DateWindow::parse("2026-01-01", "2026-01-04")?;
    suite.publish(full).await?;
    let before = suite.fact_csv(vector.window).await?;

    // Nobody used the product on the 5th, which the audit must detect.
    let silent = DateWindow::parse("2026-01-05", "2026-01-05")?;
    let run = fails_and_changes_nothing(&suite, vector.window, silent, STAGE_VALIDATE).await?;
    let failed = stage(&run, STAGE_VALIDATE)?;
    for text in ["source_rows_present", "2026-01-05"] {
        assert!(failed.error_message.contains(text), "{failed:#?}");
    }
    assert_eq!(suite.fact_csv(vector.window).await?, before);
    let alert = receiver.wait_for(WEBHOOK, 1).await?;
    assert!(alert.first().is_some_and(|alert| alert.json.to_string().contains(STAGE_VALIDATE)), "{alert:?}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_run_publishes_nothing_and_can_be_continued() -> Result<()> {
    let (suite, vector, day) = suite_before_the_last_day(Settings::default()).await?;
    let before = suite.fact_csv(vector.window).await?;
    suite
        .sources
        .faults
        .fail_next(usize::MAX / 2, Fault::SlowFirstByte(std::time::Duration::from_secs(3600)));
    let run_id = suite.trigger(day, false).await?.run.context("no run")?.run_id;
    suite.watch_until(&run_id, |run| has_begun(run, STAGE_CALL_PRODUCT_API)).await?;
    suite.command("coordinator", &["cancel", &run_id]).await?.success()?;
    suite.watch_until(&run_id, |run| run.state() == RunState::Cancelled).await?;
    assert_eq!(suite.fact_csv(vector.window).await?, before);

    suite.sources.faults.clear();
    suite.command("coordinator", &["retry", &run_id, "--wait"]).await?.success()?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}

#[tokio::test]
async fn records_that_break_the_contract_go_into_quarantine_with_their_reason() -> Result<()> {
    // The bad records are most of that day's five.
    let lenient = Settings::default().flag("ingest-api", "--product-api-max-rejected-share", "1");
    let suite = Suite::start(Layout::Standalone, lenient).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let day = vector.window.start();
    let bad = [
        (
            r#"{"company_id":"acme","date":"2026-01-01","active_users":1,"events":-3}"#,
            "events is negative: -3",
        ),
        (
            r#"{"company_id":"bolt","date":"2025-06-30","active_users":1,"events":1}"#,
            "2025-06-30 lies outside",
        ),
        (r#"{"company_id":" ","date":"2026-01-01","active_users":1,"events":1}"#, "company_id is empty"),
        (r#"{"company_id":"zeta","date":"2026-01-01","active_users":"many","events":1}"#, "active_users"),
    ];
    for (record, _) in bad {
        suite.sources.add_usage_on(day, record)?;
    }
    let run = suite.run_to_end(vector.window, false).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    assert_eq!(counters(&run, STAGE_CALL_PRODUCT_API)?.rows_rejected, bad.len() as u64);
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    let rows = sqlx::query("SELECT raw, reason, run_id, stage, origin, line FROM quarantine")
        .fetch_all(&suite.warehouse().await?)
        .await?;
    assert_eq!(rows.len(), bad.len());
    for (record, reason) in bad {
        let kept: serde_json::Value = serde_json::from_str(record)?;
        let is_it = |raw: &str| serde_json::from_str::<serde_json::Value>(raw).is_ok_and(|raw| raw == kept);
        let row = rows.iter().find(|row| is_it(row.get("raw"))).context(record)?;
        assert!(row.get::<String, _>("reason").contains(reason), "{}", row.get::<String, _>("reason"));
        assert_eq!(row.get::<String, _>("run_id"), run.run_id);
        assert_eq!(row.get::<String, _>("stage"), STAGE_CALL_PRODUCT_API);
        assert_eq!(row.get::<String, _>("origin"), "product_usage/2026-01-01/usage_2026-01-01.json");
        assert!(row.get::<i64, _>("line") >= 1);
    }
    Ok(())
}

const SLACK: &str = "/slack/T0/B0/slack-secret";
const TEAMS: &str = "/teams/workflows/teams-secret";
const WEBHOOK: &str = "/hook/webhook-secret";

fn alerting(receiver: &AlertReceiver) -> Settings {
    Settings::default()
        .flag("notifier", "--slack-webhook-url", &receiver.url(SLACK))
        .flag("notifier", "--teams-webhook-url", &receiver.url(TEAMS))
        .flag("notifier", "--webhook-url", &receiver.url(WEBHOOK))
        .flag("notifier", "--webhook-secret", "e2e-signing-key")
}

fn reports_of(delivery: &Delivery, run: &Run) -> Result<()> {
    let text = delivery.json.to_string();
    let error = &stage(run, STAGE_CALL_PRODUCT_API)?.error_message;
    let first_words: String = error.chars().take(40).collect();
    for fact in [DAILY_PIPELINE, STAGE_CALL_PRODUCT_API, &first_words, &run.run_id, "2026-01-24"] {
        assert!(text.contains(fact), "{fact:?} is not in {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_run_alerts_every_channel_once() -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let (suite, vector, day) = suite_before_the_last_day(alerting(&receiver)).await?;
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    let run = fails_and_changes_nothing(&suite, vector.window, day, STAGE_CALL_PRODUCT_API).await?;
    for path in [SLACK, TEAMS, WEBHOOK] {
        let deliveries = receiver.wait_for(path, 1).await?;
        reports_of(deliveries.first().context("none arrived")?, &run)?;
    }
    let only = |path| receiver.accepted(path).pop().context("none arrived");
    let card = &only(TEAMS)?.json["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive", "{card}");
    assert!(only(SLACK)?.json["blocks"].as_array().is_some_and(|blocks| !blocks.is_empty()));
    assert!(only(WEBHOOK)?.headers.contains_key("x-company-activity-signature"));
    // The next failure's alert goes out after everything still pending for this one.
    suite.pipeline()?.retry_run(RetryRunRequest { run_id: run.run_id.clone() }).await?;
    for path in [SLACK, TEAMS, WEBHOOK] {
        assert_eq!(receiver.wait_for(path, 2).await?.len(), 2, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn an_alert_waits_for_a_receiver_that_is_away() -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let (suite, vector, day) = suite_before_the_last_day(alerting(&receiver)).await?;
    receiver.refuse_next(4);
    suite.sources.faults.fail_next(usize::MAX / 2, Fault::status(401));
    let run = fails_and_changes_nothing(&suite, vector.window, day, STAGE_CALL_PRODUCT_API).await?;
    for path in [SLACK, TEAMS, WEBHOOK] {
        let deliveries = receiver.wait_for(path, 1).await?;
        assert_eq!(deliveries.len(), 1, "{path}");
        reports_of(deliveries.first().context("none arrived")?, &run)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_day_that_nothing_ran_is_reported_as_missed_on_every_channel() -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let (mut suite, _, _) = suite_before_the_last_day(alerting(&receiver)).await?;
    // At that time of day yesterday is always due.
    let settings = alerting(&receiver).flag("coordinator", "--publish-deadline", "00:00");
    suite.restart_with("coordinator", settings).await?;
    for path in [SLACK, TEAMS, WEBHOOK] {
        let deliveries = receiver.wait_for(path, 1).await?;
        let json = &deliveries.first().context("none arrived")?.json;
        let text = json.to_string();
        assert!(text.contains("activityctl trigger --wait"), "{text}");
        assert!(!text.contains("activityctl retry"), "{text}");
        if path == WEBHOOK {
            assert_eq!(json["cause"], "deadline_without_run", "{text}");
        } else {
            assert!(text.contains(" in time") && !text.contains("failed at"), "{text}");
        }
    }
    Ok(())
}
