//! A database's error message quotes stored data, and stays in the log.

use anyhow::{Context as _, Result, ensure};
use domain::{DateWindow, run::STAGE_CALL_PRODUCT_API};
use e2e::{
    alerts::AlertReceiver,
    runs::stage,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use proto::pipeline::v1::RunState;
use test_postgres::Database;

const WEBHOOK: &str = "/hook";

/// Part of a row that the database refuses.
const STORED: &str = "hunter2-corp";

/// Adds a constraint that no service knows and the row violates.
async fn plant_a_rule(suite: &Suite) -> Result<()> {
    let statement = if suite.warehouse_url().starts_with("postgres") {
        "ALTER TABLE stg_product_usage ADD CONSTRAINT planted CHECK (events < 1000000)".to_owned()
    } else {
        format!(
            "CREATE TRIGGER planted BEFORE INSERT ON stg_product_usage WHEN NEW.events >= 1000000
             BEGIN SELECT RAISE(ABORT, 'odd row of {STORED}'); END"
        )
    };
    suite.database().await?.execute(statement).await
}

async fn stays_in_the_log(settings: Settings) -> Result<()> {
    let receiver = AlertReceiver::start().await?;
    let settings = settings.flag("notifier", "--webhook-url", &receiver.url(WEBHOOK));
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let first = DateWindow::day(vector.window.start());
    suite.publish(first).await?;
    plant_a_rule(&suite).await?;
    let second = first.end().succ_opt().context("there is a next day")?;
    let record =
        format!(r#"{{"company_id":"{STORED}","date":"{second}","active_users":1,"events":1000000}}"#);
    suite.sources.add_usage(&record)?;

    let run = suite.run_to_end(DateWindow::day(second), false).await?;
    ensure!(run.state() == RunState::Failed, "{run:#?}");
    let failed = stage(&run, STAGE_CALL_PRODUCT_API)?;
    ensure!(failed.error_message.contains("a rule of the schema was broken"), "{failed:#?}");
    let alert = receiver.wait_for(WEBHOOK, 1).await?;
    let alert = alert.first().context("no alert")?.json.to_string();
    ensure!(alert.contains("a rule of the schema was broken"), "{alert}");
    let shown = suite.command(ACTIVITYCTL, &["runs", "show", &run.run_id]).await?;
    for reported in [&format!("{run:?}"), &alert, &format!("{shown:?}")] {
        ensure!(!reported.contains(STORED), "{reported}");
    }
    let log = suite.logs();
    ensure!(log.contains(STORED), "the log does not have the cause: {log}");
    Ok(())
}

#[tokio::test]
async fn what_sqlite_says_of_a_row_reaches_the_log_and_nobody_else() -> Result<()> {
    stays_in_the_log(Settings::default()).await
}

#[tokio::test]
async fn what_postgres_says_of_a_row_reaches_the_log_and_nobody_else() -> Result<()> {
    let database = Database::create().await?;
    stays_in_the_log(Settings::default().warehouse(database.url())).await
}
