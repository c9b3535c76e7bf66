//! The commands that work on the warehouse itself.

use anyhow::{Context as _, Result};
use domain::DateWindow;
use e2e::{
    cli::{self, Outcome},
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use futures::future;
use sqlx::{ConnectOptions, Connection, Executor, postgres::PgConnectOptions};
use tempfile::TempDir;
use test_postgres::Database;

async fn migrate(url: &str) -> Result<String> {
    cli::run(ACTIVITYCTL, &["migrate", "--warehouse-url", url], &[]).await?.success()
}

/// The first of several processes applies each migration, while the others wait.
async fn migrate_from_several_processes(url: &str) -> Result<()> {
    let reported = future::try_join_all((0..6).map(|_| migrate(url))).await?.concat();
    let applied: Vec<&str> = reported.lines().filter_map(|line| line.strip_prefix("applied ")).collect();
    assert_eq!(applied.first(), Some(&"0001_foundation"), "{reported}");
    assert!(applied.is_sorted_by(|one, next| one < next), "each once and in order: {reported}");
    let last = reported.lines().last().context("nothing was shown")?.to_owned();
    let again = migrate(url).await?;
    assert!(again.contains("nothing to apply") && again.ends_with(&format!("{last}\n")), "{again}");
    Ok(())
}

#[tokio::test]
async fn processes_that_migrate_postgres_at_once_apply_each_migration_once() -> Result<()> {
    let database = Database::create().await?;
    migrate_from_several_processes(&database.url()).await
}

#[tokio::test]
async fn processes_that_migrate_sqlite_at_once_apply_each_migration_once() -> Result<()> {
    let folder = TempDir::new()?;
    let file = folder.path().join("warehouse.sqlite");
    migrate_from_several_processes(&format!("sqlite://{}", file.display())).await
}

#[tokio::test]
async fn a_password_is_not_shown_when_a_warehouse_cannot_be_migrated() -> Result<()> {
    for url in ["postgres://owner:s3cret@127.0.0.1:1/activity", "postgres://owner:s3cret@:bad/activity"] {
        for command in ["migrate", "verify"] {
            let Outcome { code, stdout, stderr } =
                cli::run(ACTIVITYCTL, &[command], &[("WAREHOUSE_URL", url)]).await?;
            assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
            assert!(stderr.contains("warehouse") && !stderr.contains("s3cret"), "{stderr}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_row_of_postgres_that_somebody_changed_is_found_and_repaired() -> Result<()> {
    let database = Database::create().await?;
    let url = database.url();
    let suite = Suite::start(Layout::Standalone, Settings::default().warehouse(url.clone())).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;

    let verify = async |window: DateWindow| {
        let (from, to) = (window.start().to_string(), window.end().to_string());
        cli::run(ACTIVITYCTL, &["verify", "--from", &from, "--to", &to], &[("WAREHOUSE_URL", &url)]).await
    };
    let days = vector.window.len_days();
    assert_eq!(verify(vector.window).await?.success()?, format!("{days} days verified\n"));

    let changed = vector.window.end();
    let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
    let statement = "UPDATE fact_company_activity SET country = 'XX' WHERE activity_date = $1
                       AND company_id = (SELECT MIN(company_id) FROM fact_company_activity WHERE activity_date = $1)";
    let rows = connection.execute(sqlx::query(statement).bind(changed)).await?.rows_affected();
    assert_eq!(rows, 1);
    connection.close().await?;
    let outcome = verify(vector.window).await?;
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let reported: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("20")).collect();
    assert!(reported.len() == 1 && reported[0].starts_with(&changed.to_string()), "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("1 of {days} days differ from the ledger")), "{outcome:?}");
    let before = DateWindow::new(vector.window.start(), changed.pred_opt().context("no day before")?)?;
    verify(before).await?.success()?;

    let server = suite.url_of("coordinator")?;
    let server = [("WAREHOUSE_URL", url.as_str()), ("ACTIVITY_SERVER", server.as_str())];
    let reported = cli::run(ACTIVITYCTL, &["verify", "--repair"], &server).await?.success()?;
    assert!(reported.contains(&format!("built {changed} again: 1 rows written or removed")), "{reported}");
    assert!(reported.ends_with("days verified\n"), "{reported}");
    verify(vector.window).await?.success()?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)
}
