//! New months: built once, attached when they are published, gone if they are not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrated;

use std::time::Duration;

use domain::{Checksum, FactRow, run::STAGE_VALIDATE};
use futures::{TryStreamExt, future};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use test_postgres::{Database, WRITER};
use warehouse_conformance::{
    EngineUnderTest,
    scene::{
        HeldRun, at, company, day, days, export, hold_run, hold_run_of, publish_run, published, records,
    },
};
use warehouse_core::{ActivityQuery, Error};

/// Much longer than anything here takes.
const SOON: Duration = Duration::from_secs(50);

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn execute(database: &Database, statements: &str) {
    connect(&database.url()).await.execute(AssertSqlSafe(statements)).await.unwrap();
}

async fn texts(database: &Database, query: &str) -> Vec<String> {
    let mut connection = connect(&database.url()).await;
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap()
}

/// The tables with candidates of months.
async fn candidate_months(database: &Database) -> Vec<String> {
    let query = "SELECT relname::TEXT FROM pg_class
                 WHERE relkind = 'r' AND relname ~ '^fact_candidates_y' ORDER BY relname";
    texts(database, query).await
}

/// A run over January to March that has built: two companies, one of them silent.
async fn built(warehouse: &EngineUnderTest) -> HeldRun {
    let run = hold_run(warehouse, days(0, 89), at(1)).await;
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    run.ingest(&exports, &[(day(3), vec![("acme", 1, 5)]), (day(40), vec![("acme", 2, 7)])]).await;
    run.build().await;
    run
}

/// What is published of January to March, apart from when. The ledger fits it.
async fn content(warehouse: &EngineUnderTest) -> Vec<FactRow> {
    let mut rows = published(warehouse, days(0, 89)).await;
    for entry in warehouse.published_days(days(0, 89)).await.unwrap() {
        let of_day = || rows.iter().filter(|row| row.key.activity_date == entry.activity_date);
        assert_eq!(entry.row_count, of_day().map(|_| 1_i64).sum::<i64>(), "{}", entry.activity_date);
        assert_eq!(entry.checksum.unwrap(), of_day().collect::<Checksum>(), "{}", entry.activity_date);
    }
    for row in &mut rows {
        row.loaded_at = at(0);
    }
    rows
}

#[tokio::test]
async fn a_month_is_published_as_it_was_built() {
    let (database, warehouse) = migrated::open().await;
    let run = built(&warehouse).await;
    let january = ["fact_candidates_y2026m01", "fact_candidates_y2026m02", "fact_candidates_y2026m03"];
    assert_eq!(candidate_months(&database).await, january);
    // The files of a table and of its indexes, and whether they are logged.
    let files = |table: &str| {
        format!(
            "SELECT concat_ws(' ', relkind, relpersistence, pg_relation_filenode(oid)) FROM pg_class
             WHERE oid = '{table}'::REGCLASS OR oid IN
               (SELECT indexrelid FROM pg_index WHERE indrelid = '{table}'::REGCLASS)
             ORDER BY oid"
        )
    };
    let as_built = texts(&database, &files("fact_candidates_y2026m02")).await;
    run.publish().await;
    let as_published = texts(&database, &files("fact_company_activity_y2026m02")).await;
    assert_eq!(as_published, as_built);
    assert_eq!(as_built.len(), 4, "{as_built:?}");

    assert!(candidate_months(&database).await.is_empty());
    let checks = "SELECT conname::TEXT FROM pg_constraint WHERE contype = 'c'
                  AND conrelid = 'fact_company_activity_y2026m02'::REGCLASS";
    assert!(texts(&database, checks).await.is_empty());
    let rows = published(&warehouse, days(0, 89)).await;
    assert_eq!(rows.len(), 180);
    assert!(rows.iter().all(|row| row.loaded_at == run.now));
}

#[tokio::test]
async fn rows_that_come_into_an_attached_month_are_those_of_any_month() {
    let (_whole, at_once) = migrated::open().await;
    built(&at_once).await.publish().await;
    let late = [(day(3), vec![("acme", 1, 6)]), (day(40), vec![("acme", 2, 7), ("bolt", 3, 9)])];
    publish_run(&at_once, days(0, 89), at(2), &[], &late).await;

    // The same in another order: part of an old month, then the rest of it with two new ones.
    let (_parts, in_parts) = migrated::open().await;
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    publish_run(&in_parts, days(0, 9), at(1), &exports, &[]).await;
    let outcome = publish_run(&in_parts, days(0, 89), at(2), &[], &late).await;
    assert_eq!(outcome.new_days, 80);
    assert_eq!(content(&in_parts).await, content(&at_once).await);

    // Taken back, an attached month is published again like any other.
    for warehouse in [&at_once, &in_parts] {
        let changed = [(day(35), vec![("bolt", 1, 1)]), (day(40), vec![("acme", 2, 8)])];
        publish_run(warehouse, days(0, 89), at(3), &[], &changed).await;
    }
    assert_eq!(content(&in_parts).await, content(&at_once).await);
}

#[tokio::test]
async fn a_load_between_build_and_publish_has_the_months_built_again() {
    let (database, warehouse) = migrated::open().await;
    let run = built(&warehouse).await;
    let other = hold_run_of(&warehouse, "pl_other", days(40, 40), at(1)).await;
    let api = other.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    other.load_usage(&api, day(40), records(day(40), &[("acme", 2, 8)])).await.unwrap();

    let fence = run.begin(STAGE_VALIDATE).await;
    let refused = warehouse.publish_fact(&fence, run.run.window, &[], run.now).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(_)), "{refused}");
    assert!(published(&warehouse, days(0, 89)).await.is_empty());

    run.cancel().await;
    publish_run(&warehouse, days(0, 89), at(2), &[], &[(day(3), vec![("acme", 1, 5)])]).await;
    assert!(candidate_months(&database).await.is_empty());
    assert_eq!(content(&warehouse).await.len(), 180);
}

#[tokio::test]
async fn tables_of_a_build_that_nobody_publishes_are_dropped_by_the_next_one() {
    let (database, warehouse) = migrated::open().await;
    built(&warehouse).await.cancel().await;
    assert_eq!(candidate_months(&database).await.len(), 3);
    let run = hold_run(&warehouse, days(31, 31), at(2)).await;
    run.ingest(&[], &[]).await;
    run.build().await;
    assert_eq!(candidate_months(&database).await, ["fact_candidates_y2026m02"]);
    run.publish().await;
    assert!(candidate_months(&database).await.is_empty());
}

#[tokio::test]
async fn tables_of_a_build_that_nobody_publishes_are_dropped_by_maintenance() {
    let (database, warehouse) = migrated::open().await;
    built(&warehouse).await.cancel().await;
    let looked = warehouse.discard_abandoned_candidates(at(9), true).await.unwrap().unwrap();
    assert_eq!((looked.rows, candidate_months(&database).await.len()), (180, 3));
    assert_eq!(warehouse.discard_abandoned_candidates(at(9), false).await.unwrap().unwrap().rows, 180);
    assert!(candidate_months(&database).await.is_empty());

    // A crash of the database forgets the build, and not the tables.
    built(&warehouse).await.cancel().await;
    execute(&database, "TRUNCATE fact_build, fact_build_days, fact_candidates_rest").await;
    assert_eq!(warehouse.discard_abandoned_candidates(at(9), true).await.unwrap(), None);
    assert_eq!(candidate_months(&database).await.len(), 3);
    assert_eq!(warehouse.discard_abandoned_candidates(at(9), false).await.unwrap(), None);
    assert!(candidate_months(&database).await.is_empty());
}

#[tokio::test]
async fn maintenance_spares_the_tables_of_a_build_that_waits_for_its_publish() {
    let (database, warehouse) = migrated::open().await;
    let run = built(&warehouse).await;
    assert_eq!(warehouse.discard_abandoned_candidates(at(9), false).await.unwrap(), None);
    assert_eq!(candidate_months(&database).await.len(), 3);
    run.publish().await;
}

#[tokio::test]
async fn readers_wait_for_nothing_while_months_are_published() {
    let (database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(-31, -1), at(0), &[], &[(day(-1), vec![("acme", 1, 1)])]).await;
    let run = built(&warehouse).await;
    // One has begun to read; another will, and gives up whatever it would have to wait for.
    let (mut early, mut late) = (connect(&database.url()).await, connect(&database.url()).await);
    let rows = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM fact_company_activity");
    let mut reading = early.begin().await.unwrap();
    let before = rows.fetch_one(&mut *reading).await.unwrap();
    late.execute("SET lock_timeout = '1ms'").await.unwrap();
    // The publish has done everything when it waits for its stage.
    let mut holder = connect(&database.url()).await;
    let mut holding = holder.begin().await.unwrap();
    let fence = run.begin(STAGE_VALIDATE).await;
    holding.execute("SELECT 1 FROM pipeline_run_stages FOR UPDATE").await.unwrap();
    let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *holding).await.unwrap();
    let reads = async {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        let mut waits = 0_i64;
        while waits == 0 {
            waits = sqlx::query_scalar(waiting).bind(holder).fetch_one(&mut late).await.unwrap();
        }
        for lock in ["SELECT 1", "LOCK TABLE ONLY fact_company_activity IN ACCESS SHARE MODE"] {
            let mut transaction = late.begin().await.unwrap();
            transaction.execute(lock).await.unwrap();
            let rows = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM fact_company_activity");
            assert_eq!(rows.fetch_one(&mut *transaction).await.unwrap(), before);
            transaction.rollback().await.unwrap();
        }
        holding.rollback().await.unwrap();
    };
    let publish = warehouse.publish_fact(&fence, run.run.window, &[], run.now);
    let (outcome, ()) = tokio::time::timeout(SOON, future::join(publish, reads)).await.unwrap();
    assert_eq!(outcome.unwrap().new_days, 90);
    reading.rollback().await.unwrap();
    let rows = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM fact_company_activity");
    assert!(rows.fetch_one(&mut late).await.unwrap() >= before + 180);
}

/// The rows of a new month are older than the export, and the month is not.
#[tokio::test]
async fn an_export_shows_nothing_of_a_month_that_is_published_after_it_began() {
    let (_database, warehouse) = migrated::open().await;
    // More rows than an export reads ahead.
    let companies: Vec<_> =
        (0..1_000).map(|number| company(&format!("company {number:03}"), "Acme")).collect();
    let exports = [(export(day(-31), "1"), companies)];
    publish_run(&warehouse, days(-31, -1), at(0), &exports, &[]).await;
    let before = published(&warehouse, days(-31, 30)).await;
    assert_eq!(before.len(), 31_000);
    let run = hold_run(&warehouse, days(0, 30), at(1)).await;
    run.ingest(&[], &[]).await;
    run.build().await;

    let query = ActivityQuery { company_id: None, window: days(-31, 30), after: None, as_of: None };
    let mut rows = warehouse.export_facts(&query).await.unwrap().rows();
    let mut exported = vec![rows.try_next().await.unwrap().unwrap()];
    run.publish().await;
    while let Some(row) = rows.try_next().await.unwrap() {
        exported.push(row);
    }
    assert_eq!(exported, before);
    assert_eq!(published(&warehouse, days(-31, 30)).await.len(), 62_000);
}

#[tokio::test]
async fn programs_that_know_no_months_publish_what_others_built_and_the_other_way_round() {
    let (_database, expected) = migrated::open().await;
    built(&expected).await.publish().await;
    let expected = content(&expected).await;
    for as_if in [
        // What they would not have looked at.
        "UPDATE fact_build_days SET rows = NULL, checksum = NULL, checksum_version = NULL",
        // What they would have built.
        "UPDATE fact_build_days SET rows = NULL, checksum = NULL, checksum_version = NULL;
         CREATE TEMPORARY TABLE built AS SELECT * FROM fact_candidates;
         SELECT drop_candidate_months();
         INSERT INTO fact_candidates SELECT * FROM built",
        // What they would have built over the tables of a dead build.
        "UPDATE fact_build_days SET rows = NULL, checksum = NULL, checksum_version = NULL;
         CREATE TEMPORARY TABLE built AS SELECT * FROM fact_candidates;
         TRUNCATE fact_candidates;
         INSERT INTO fact_candidates SELECT * FROM built",
    ] {
        let (database, warehouse) = migrated::open().await;
        let run = built(&warehouse).await;
        connect(&database.url_of(WRITER)).await.execute(as_if).await.unwrap();
        assert_eq!(run.publish().await.counters.rows_written, 180);
        assert_eq!(content(&warehouse).await, expected);
        assert!(candidate_months(&database).await.is_empty());
    }
}
