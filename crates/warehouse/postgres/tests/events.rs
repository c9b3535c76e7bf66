//! What Postgres guarantees for events beyond the behaviours of every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrated;

use futures::future;
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use test_postgres::Database;
use warehouse_conformance::event_scene::{
    COMPANIES, EventRun, Reported, assert_sums, file, grouped, lines, stored, sums,
};

async fn connect(database: &Database) -> PgConnection {
    database.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn months_without_events_get_no_partition() {
    let (database, warehouse) = migrated::open().await;
    let run = EventRun::begin(&warehouse, 1).await;
    run.accept("a.ndjson", "1", &[("acme", -9_000, "a", 1), ("acme", 0, "a", 1), ("bolt", 30, "a", 1)]).await;
    let mut connection = connect(&database).await;
    for parent in ["fact_events", "agg_company_daily_events"] {
        let partitions: Vec<String> = sqlx::query_scalar(
            "SELECT inhrelid::regclass::TEXT FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1",
        )
        .bind(parent)
        .fetch_all(&mut connection)
        .await
        .unwrap();
        assert_eq!(partitions, ["y2001m05", "y2026m01"].map(|month| format!("{parent}_{month}")));
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn files_that_are_loaded_at_once_leave_the_sums_of_all_their_events() {
    let (_database, warehouse) = migrated::open().await;
    let names: Vec<String> = (0..400).map(|number| format!("{number:04}")).collect();
    let run = EventRun::begin(&warehouse, 1).await;
    let loads = ["a", "b", "c", "d"].iter().zip(1..).map(|(name, count)| {
        // Every file has all events of one company, and its own version of another's.
        let events: Vec<Reported<'_>> = names
            .iter()
            .flat_map(|event| [("acme", 0, event.as_str(), 1), ("bolt", 0, event.as_str(), count)])
            .collect();
        let file = file(&format!("{name}.ndjson"), "1");
        let run = &run;
        async move { run.load(&file, lines(&events)).await.unwrap() }
    });
    future::join_all(loads).await;
    assert_sums(&warehouse, &[("acme", 0, 400, 400), ("bolt", 0, 1_600, 400)]).await;
    let stored = stored(&warehouse).await;
    assert_eq!(sums(&warehouse).await, grouped(&stored));
    assert!(stored.iter().all(|event| event.source_path == "d.ndjson"));
}

#[tokio::test]
async fn the_reader_role_sums_events_itself() {
    let (database, warehouse) = migrated::open().await;
    let run = EventRun::begin(&warehouse, 1).await;
    let events: Vec<Reported<'_>> = COMPANIES.iter().map(|company| (*company, 0, "a", 2)).collect();
    run.accept("a.ndjson", "1", &events).await;
    let mut connection = connect(&database).await;
    sqlx::raw_sql("SET ROLE activity_reader").execute(&mut connection).await.unwrap();
    let differences: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM (SELECT company_id, date, SUM(events) AS events FROM fact_events GROUP BY 1, 2) AS full_sums
         FULL JOIN agg_company_daily_events AS agg USING (company_id, date)
         WHERE full_sums.events IS DISTINCT FROM agg.events",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let days: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM agg_company_daily_events")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!((differences, days), (0, 3));
}
