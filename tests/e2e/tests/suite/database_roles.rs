//! Every process in the narrowest role of the database that it can work in.

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use e2e::{
    cli,
    settings::{Layout, Settings},
    suite::{ACTIVITYCTL, Suite},
    vectors::Vector,
};
use sqlx::{Connection, PgConnection};
use test_postgres::{Database, OWNER, READER, WRITER};

/// Runs a command on the warehouse itself, in this role.
async fn run(database: &Database, role: &str, arguments: &[&str]) -> Result<cli::Outcome> {
    cli::run(ACTIVITYCTL, arguments, &[("WAREHOUSE_URL", &database.url_of(role))]).await
}

#[tokio::test]
async fn days_are_published_by_services_that_own_nothing_and_read_by_one_that_writes_nothing() -> Result<()> {
    let database = Database::create_with_roles().await?;
    run(&database, OWNER, &["migrate"]).await?.success()?;
    let settings = Settings::default().with_events().warehouse(database.url_of(WRITER)).flag(
        "activity",
        "--warehouse-url",
        &database.url_of(READER),
    );
    let mut suite = Suite::start(Layout::Separate, settings).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let first = DateWindow::day(vector.window.start());
    suite.sources.put_events(
        "a.ndjson",
        format!(
            "{{\"company_id\":\"acme\",\"date\":\"{}\",\"event_id\":\"a\",\"events\":2}}\n",
            vector.window.start()
        ),
    )?;
    suite.publish(first).await?;
    let second = vector.window.start().succ_opt().context("no second day")?;
    suite.publish(DateWindow::new(second, vector.window.end())?).await?;
    // Start again on the schema that is there.
    for service in ["transform", "activity"] {
        suite.restart(service).await?;
    }
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;

    // What is taken back is published again, and every operator's action is on record.
    let day = vector.window.start().to_string();
    suite.command("coordinator", &["unpublish", "--date", &day, "--yes"]).await?.success()?;
    suite.publish_again(first).await?;
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;
    let recorded = suite.command("coordinator", &["audit-log"]).await?.success()?;
    for action in ["trigger", "unpublish", "migrate"] {
        ensure!(recorded.contains(action), "{action} is not on record: {recorded}");
    }

    // Commands: verification reads; maintenance works in the services' role.
    let days = vector.window.len_days();
    assert_eq!(run(&database, READER, &["verify"]).await?.success()?, format!("{days} days verified\n"));
    run(&database, WRITER, &["maintain"]).await?.success()?;
    for role in [READER, WRITER] {
        let refused = run(&database, role, &["migrate"]).await?;
        ensure!(
            refused.code != 0 && refused.stderr.contains("as its owner, test_activity_owner"),
            "{role}: {refused:?}"
        );
    }
    let refused = run(&database, READER, &["maintain"]).await?;
    ensure!(refused.stderr.contains("GRANT activity_writer TO test_activity_reader"), "{refused:?}");

    // What the reader cannot record, it does not do.
    let refused = suite.admin("activity")?.set_log("debug").await.err().context("was recorded")?;
    ensure!(refused.to_string().contains("503"), "{refused}");
    suite.admin("transform")?.set_log("debug").await?;

    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT relowner::REGROLE::TEXT FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE",
    )
    .fetch_all(&mut PgConnection::connect(&database.url()).await?)
    .await?;
    assert_eq!(owners, [OWNER], "partitions, too, are the owner's");
    Ok(())
}

#[tokio::test]
async fn a_service_that_may_not_migrate_says_who_has_to() -> Result<()> {
    let database = Database::create_with_roles().await?;
    let url = database.url_of(WRITER);
    let (service, migration) = tokio::join!(
        async {
            let suite = Suite::start(Layout::Separate, Settings::default().warehouse(url.clone())).await?;
            suite.log_of("ingest-crm")
        },
        async {
            // Once the first service has looked for a schema.
            let asked = "SELECT COUNT(*) FROM pg_stat_activity
                         WHERE usename = $1 AND datname = CURRENT_DATABASE() AND state = 'idle'
                           AND query LIKE '%_sqlx_migrations%'";
            let mut connection = PgConnection::connect(&database.url()).await?;
            e2e::found("a service that waits", async || {
                let waiting: i64 = sqlx::query_scalar(asked).bind(WRITER).fetch_one(&mut connection).await?;
                Ok((waiting > 0).then_some(()))
            })
            .await?;
            run(&database, OWNER, &["migrate"]).await?.success()
        }
    );
    migration?;
    let log = service?;
    ensure!(log.contains("run `activityctl migrate` as the role that is to own it"), "{log}");
    Ok(())
}
