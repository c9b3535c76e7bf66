//! Events, the optional source: counted once, summed exactly, and without effect on the fact.

use anyhow::{Context as _, Result};
use domain::{
    DateWindow,
    run::{STAGE_BUILD_FACT, STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV, STAGE_COPY_EVENTS, STAGE_VALIDATE},
};
use e2e::{
    alerts::AlertReceiver,
    runs::{counters, stage},
    settings::{Layout, Settings},
    suite::Suite,
    vectors::Vector,
};
use proto::pipeline::v1::{RetryRunRequest, Run, RunState, StageState};
use sqlx::{PgPool, SqlitePool};
use test_postgres::Database;

/// The seed's query over all history.
const FULL_SUMS: &str = "SELECT company_id, CAST(date AS TEXT), CAST(SUM(events) AS BIGINT), COUNT(*)
    FROM fact_events GROUP BY company_id, date ORDER BY company_id, date";

const KEPT_SUMS: &str = "SELECT company_id, CAST(date AS TEXT), events, event_count
    FROM agg_company_daily_events ORDER BY company_id, date";

/// Company, day, sum and number of events.
type Sum = (String, String, i64, i64);

/// The database that people query.
enum Sql {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Sql {
    async fn sums(&self, query: &'static str) -> Result<Vec<Sum>> {
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_as(query).fetch_all(pool).await?,
            Self::Postgres(pool) => sqlx::query_as(query).fetch_all(pool).await?,
        })
    }

    async fn must_hold(&self, expected: &[(&str, &str, i64, i64)]) -> Result<()> {
        let kept = self.sums(KEPT_SUMS).await?;
        assert_eq!(kept, self.sums(FULL_SUMS).await?);
        let reported: Vec<_> = kept
            .iter()
            .map(|(company, date, events, count)| (company.as_str(), date.as_str(), *events, *count))
            .collect();
        assert_eq!(reported, expected);
        Ok(())
    }
}

fn event((company, date, event_id, events): (&str, &str, &str, i64)) -> String {
    let event =
        serde_json::json!({"company_id": company, "date": date, "event_id": event_id, "events": events});
    format!("{event}\n")
}

fn file(events: &[(&str, &str, &str, i64)]) -> String {
    events.iter().copied().map(event).collect()
}

/// Reruns a day and returns the run.
async fn run(suite: &Suite, day: DateWindow) -> Result<Run> {
    let run = suite.run_to_end(day, true).await?;
    assert_eq!(run.state(), RunState::Succeeded, "{run:#?}");
    Ok(run)
}

async fn events_count_once(suite: &Suite, sql: &Sql) -> Result<()> {
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    let day = DateWindow::day(vector.window.start());
    let delivered =
        [("acme", "2026-01-01", "a", 2), ("acme", "2026-01-01", "b", 3), ("bolt", "2025-12-31", "a", 7)];
    suite.sources.put_events("2026-01-01.ndjson", file(&delivered))?;
    let first = counters(&run(suite, day).await?, STAGE_COPY_EVENTS)?;
    assert_eq!((first.rows_read, first.rows_written), (3, 3));
    let sums = [("acme", "2026-01-01", 5, 2), ("bolt", "2025-12-31", 7, 1)];
    sql.must_hold(&sums).await?;

    // Loaded files are not read again; a copy under another name is not counted twice.
    assert_eq!(counters(&run(suite, day).await?, STAGE_COPY_EVENTS)?.rows_read, 0);
    suite.sources.put_events("2026-01-02.ndjson", file(&delivered))?;
    let again = counters(&run(suite, day).await?, STAGE_COPY_EVENTS)?;
    assert_eq!((again.rows_read, again.rows_written, again.rows_unchanged), (3, 0, 3));
    sql.must_hold(&sums).await?;

    // A correction replaces the old value, and late events are added to their day.
    let corrected = [("acme", "2026-01-01", "b", 30), ("bolt", "2025-12-31", "late", 1)];
    suite.sources.put_events("2026-01-03.ndjson", file(&corrected))?;
    let correction = counters(&run(suite, day).await?, STAGE_COPY_EVENTS)?;
    assert_eq!((correction.rows_read, correction.rows_written), (2, 2));
    sql.must_hold(&[("acme", "2026-01-01", 32, 2), ("bolt", "2025-12-31", 8, 2)]).await?;
    // An older file that arrives last does not override newer ones.
    suite.sources.put_events("2025-12-31.ndjson", file(&[("acme", "2026-01-01", "b", 1)]))?;
    assert_eq!(counters(&run(suite, day).await?, STAGE_COPY_EVENTS)?.rows_duplicate, 1);
    sql.must_hold(&[("acme", "2026-01-01", 32, 2), ("bolt", "2025-12-31", 8, 2)]).await
}

#[tokio::test]
async fn events_count_once_in_one_process() -> Result<()> {
    let suite = Suite::start(Layout::Standalone, Settings::default().with_events()).await?;
    let sql = Sql::Sqlite(suite.warehouse().await?);
    events_count_once(&suite, &sql).await
}

#[tokio::test]
async fn events_count_once_in_separate_processes_on_postgres() -> Result<()> {
    let database = Database::create().await?;
    let settings = Settings::default().with_events().warehouse(database.url());
    let suite = Suite::start(Layout::Separate, settings).await?;
    let sql = Sql::Postgres(PgPool::connect(&database.url()).await?);
    events_count_once(&suite, &sql).await
}

#[tokio::test]
async fn a_broken_event_file_is_reported_and_the_fact_is_published() -> Result<()> {
    const HOOK: &str = "/hook";
    let receiver = AlertReceiver::start().await?;
    let settings = Settings::default().with_events().flag("notifier", "--webhook-url", &receiver.url(HOOK));
    let suite = Suite::start(Layout::Standalone, settings).await?;
    let sql = Sql::Sqlite(suite.warehouse().await?);
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.sources.put_events("a.ndjson", "<html>503</html>\n")?;
    suite.sources.put_events("b.ndjson", file(&[("acme", "2026-01-01", "a", 2)]))?;

    let failed = suite.run_to_end(vector.window, false).await?;
    assert_eq!(failed.state(), RunState::Failed, "{failed:#?}");
    for done in [STAGE_COPY_CRM_CSV, STAGE_CALL_PRODUCT_API, STAGE_BUILD_FACT, STAGE_VALIDATE] {
        assert_eq!(stage(&failed, done)?.state(), StageState::Succeeded, "{failed:#?}");
    }
    let broken = stage(&failed, STAGE_COPY_EVENTS)?;
    assert_eq!(
        (broken.state(), broken.error_code.as_str(), broken.attempt),
        (StageState::Failed, "DATA_LOSS", 1)
    );
    for text in ["1 of 2 event files refused", "a.ndjson", "line 1", "<html>503</html>"] {
        assert!(broken.error_message.contains(text), "{text:?} is not in {:?}", broken.error_message);
    }
    let alerts = receiver.wait_for(HOOK, 1).await?;
    let alert = alerts.first().context("none arrived")?.json.to_string();
    assert!(alert.contains(STAGE_COPY_EVENTS) && alert.contains("a.ndjson"), "{alert}");
    suite.fact(vector.window).await?.must_equal(&vector.expected)?;
    sql.must_hold(&[("acme", "2026-01-01", 2, 1)]).await?;

    // Once the source is fixed, the same run continues with the rest.
    suite.sources.put_events("a.ndjson", file(&[("acme", "2026-01-01", "b", 3)]))?;
    suite.pipeline()?.retry_run(RetryRunRequest { run_id: failed.run_id.clone() }).await?;
    let retried = suite.watch_until(&failed.run_id, |run| run.state() == RunState::Succeeded).await?;
    assert_eq!(counters(&retried, STAGE_COPY_EVENTS)?.rows_read, 1);
    assert_eq!(stage(&retried, STAGE_VALIDATE)?.attempt, 1);
    sql.must_hold(&[("acme", "2026-01-01", 5, 2)]).await
}

#[tokio::test]
async fn events_that_no_stage_copies_are_warned_of() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = e2e::sources::folder_url(folder.path())?;
    let suite = Suite::start(Layout::Standalone, Settings::default().variable("EVENTS_URL", &url)).await?;
    let vector = Vector::gaps()?;
    vector.deliver(&suite.sources)?;
    suite.publish(vector.window).await?;
    let logs = suite.logs();
    assert!(logs.contains("--events-url is given, but no event is copied"), "{logs}");
    Ok(())
}
