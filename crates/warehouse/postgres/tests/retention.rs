//! How Postgres removes old data: by partition, alongside readers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrated;

use std::{sync::Arc, time::Duration};

use futures::TryStreamExt;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use test_postgres::Database;
use warehouse_conformance::{
    event_scene::EventRun,
    scene::{at, day, days, publish_run, published},
};
use warehouse_core::{ActivityQuery, Error, HistoryStart, SharedWarehouse};

/// Longer than any wait here, and much shorter than the reader would stay.
const SOON: Duration = Duration::from_secs(20);

fn start() -> HistoryStart {
    HistoryStart::new(day(0)).unwrap()
}

async fn connect(database: &Database) -> PgConnection {
    database.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

async fn partitions(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT inhrelid::regclass::TEXT FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE relkind = 'r' ORDER BY 1",
    )
    .fetch_all(connection)
    .await
    .unwrap()
}

async fn publish_three_months(warehouse: &SharedWarehouse) {
    let usage: Vec<_> = (-73..=10).map(|on| (day(on), vec![("acme", 1, 1)])).collect();
    publish_run(warehouse, days(-60, 10), at(1), &[], &usage).await;
}

#[tokio::test]
async fn old_months_go_by_the_partition() {
    let (database, warehouse) = migrated::open().await;
    publish_three_months(&warehouse).await;
    let events = EventRun::begin(&warehouse, 2).await;
    events.accept("a.ndjson", "1", &[("acme", -1, "a", 1), ("acme", 0, "a", 1)]).await;
    let mut connection = connect(&database).await;
    let before = partitions(&mut connection).await;
    let forgotten = warehouse.forget_days_before(start(), false).await.unwrap();
    let kept = [
        "agg_company_daily_events_y2026m01",
        "fact_candidates_rest",
        "fact_company_activity_y2026m01",
        "fact_events_y2026m01",
        "stg_product_usage_y2025m12",
        "stg_product_usage_y2026m01",
    ];
    assert_eq!(partitions(&mut connection).await, kept);
    assert_eq!(forgotten.partitions, (before.len() - kept.len()) as u64);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_long_reader_is_reported_and_makes_nobody_else_wait() {
    let (database, warehouse) = migrated::open().await;
    publish_three_months(&warehouse).await;
    let before = published(&warehouse, days(-60, 10)).await;
    let mut reader = connect(&database).await;
    let mut reading = reader.begin().await.unwrap();
    reading.execute("SELECT * FROM fact_company_activity").await.unwrap();

    let refused = warehouse.forget_days_before(start(), false).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(refused.to_string().contains("busy") && refused.to_string().contains("try again"), "{refused}");
    let waited = tokio::time::timeout(SOON, published(&warehouse, days(-60, 10))).await.unwrap();
    assert_eq!(waited, before);

    reading.rollback().await.unwrap();
    assert_eq!(warehouse.forget_days_before(start(), false).await.unwrap().days, 60);
}

#[tokio::test]
async fn an_export_sees_the_days_that_were_there_when_it_began() {
    let (_database, warehouse) = migrated::open().await;
    publish_three_months(&warehouse).await;
    let query = ActivityQuery { company_id: None, window: days(-60, 10), after: None, as_of: None };
    let export = warehouse.export_facts(&query).await.unwrap();
    let forgetting = {
        let warehouse = Arc::clone(&warehouse);
        tokio::spawn(async move { warehouse.forget_days_before(start(), false).await })
    };
    let rows: Vec<_> = export.rows().try_collect().await.unwrap();
    assert_eq!(rows.len(), 71);
    let outcome = forgetting.await.unwrap();
    assert!(matches!(outcome, Ok(_) | Err(Error::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_run_that_is_just_being_created_keeps_its_days() {
    let (database, warehouse) = migrated::open().await;
    publish_three_months(&warehouse).await;
    let mut coordinator = connect(&database).await;
    let mut creating = coordinator.begin().await.unwrap();
    creating
        .execute(
            "INSERT INTO pipeline_runs (run_id, pipeline, window_start, window_end, run_trigger, state, created_at)
             VALUES (gen_random_uuid(), 'pl_other', '2025-12-20', '2026-01-02', 'MANUAL', 'QUEUED', now())",
        )
        .await
        .unwrap();
    let forgetting = {
        let warehouse = Arc::clone(&warehouse);
        tokio::spawn(async move { warehouse.forget_days_before(start(), false).await })
    };
    let mut observer = connect(&database).await;
    let waits_or_is_done = async {
        let waiting =
            "SELECT COUNT(*) FROM pg_locks WHERE relation = 'pipeline_runs'::regclass AND NOT granted";
        let mut waits = 0_i64;
        while waits == 0 && !forgetting.is_finished() {
            waits = sqlx::query_scalar(waiting).fetch_one(&mut observer).await.unwrap();
        }
    };
    tokio::time::timeout(SOON, waits_or_is_done).await.unwrap();
    creating.commit().await.unwrap();
    // Unavailable if this took longer than it waits.
    let refused = forgetting.await.unwrap().unwrap_err();
    assert!(matches!(refused, Error::Precondition(_) | Error::Unavailable(_)), "{refused:?}");
    assert_eq!(warehouse.usage_days(days(-73, 10)).await.unwrap().len(), 84);
}
