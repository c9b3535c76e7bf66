//! Which rows of the newest days count, whoever has written what.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use warehouse_conformance::{
    EngineUnderTest,
    behaviours::unpublish::take_back,
    scene::{at, company, day, days, export, publish_run},
};
use warehouse_core::{CompanyOrder, CompanySearch, CompanyTraits};
use warehouse_sqlite::SqliteWarehouse;

/// Three days of two companies, and another connection to the file.
async fn published() -> (TempDir, EngineUnderTest, SqliteConnection) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse = EngineUnderTest::new(SqliteWarehouse::open(&url).await.unwrap());
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    publish_run(&warehouse, days(0, 2), at(1), &exports, &[(day(1), vec![("acme", 1, 10)])]).await;
    let file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    (folder, warehouse, file)
}

/// The days whose rows are kept and count, each with how many there are.
async fn known(file: &mut SqliteConnection) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT activity_date, COUNT(rows.company_id)
         FROM known_newest_days LEFT JOIN newest_day_rows AS rows USING (activity_date)
         GROUP BY activity_date ORDER BY activity_date",
    )
    .fetch_all(file)
    .await
    .unwrap()
}

fn two(first: &str, second: &str) -> [(String, i64); 2] {
    [(first.to_owned(), 2), (second.to_owned(), 2)]
}

/// The events of each company of a day, as a search finds them.
async fn events(warehouse: &EngineUnderTest, offset: i64) -> Vec<i64> {
    let search = CompanySearch {
        day: day(offset),
        words: Vec::new(),
        traits: CompanyTraits::default(),
        only_churn_risks: false,
        order: CompanyOrder::CompanyId,
        descending: false,
        after: None,
    };
    let page = warehouse.search_companies(&search, 9).await.unwrap();
    page.rows.iter().map(|row| row.events).collect()
}

#[tokio::test]
async fn the_two_newest_days_are_kept_and_read() {
    let (_folder, warehouse, mut file) = published().await;
    assert_eq!(known(&mut file).await, two("2026-01-02", "2026-01-03"));
    let correction = [(day(1), vec![("acme", 1, 11)]), (day(2), vec![("bolt", 1, 5)])];
    publish_run(&warehouse, days(0, 2), at(2), &[], &correction).await;
    assert_eq!(known(&mut file).await, two("2026-01-02", "2026-01-03"));
    assert_eq!((events(&warehouse, 1).await, events(&warehouse, 2).await), (vec![11, 0], vec![0, 5]));
    publish_run(&warehouse, days(3, 3), at(3), &[], &[]).await;
    assert_eq!(known(&mut file).await, two("2026-01-03", "2026-01-04"));

    // They are read, and not the fact: what bypasses every publish is found by comparing checksums.
    file.execute("UPDATE fact_company_activity SET events = 99").await.unwrap();
    assert_eq!(events(&warehouse, 3).await, [0, 0]);
    assert_eq!(events(&warehouse, 2).await, [0, 5]);
    assert_eq!(events(&warehouse, 1).await, [99, 99]);
}

#[tokio::test]
async fn rows_of_another_publish_do_not_count() {
    for change in [
        "checksum = checksum + 1",
        "row_count = row_count + 1",
        "checksum_version = 9",
        "published_at = '2026-06-05T00:00:00+00:00'",
    ] {
        let (_folder, warehouse, mut file) = published().await;
        file.execute("UPDATE fact_company_activity SET events = 99").await.unwrap();
        let publish = format!("UPDATE published_days SET {change} WHERE activity_date = '2026-01-03'");
        file.execute(AssertSqlSafe(publish)).await.unwrap();
        assert_eq!(events(&warehouse, 2).await, [99, 99], "{change}");
        assert_eq!(events(&warehouse, 1).await, [10, 0], "{change}");
    }
}

#[tokio::test]
async fn what_a_program_without_them_leaves_is_made_up_for() {
    let (_folder, warehouse, mut file) = published().await;
    for (hour, clear) in
        (2..).zip(["DELETE FROM newest_days", "UPDATE newest_days SET published_at = '2020-01-01'"])
    {
        file.execute(clear).await.unwrap();
        assert_eq!(known(&mut file).await, []);
        warehouse.sum_up_days().await.unwrap();
        assert_eq!(known(&mut file).await, two("2026-01-02", "2026-01-03"), "by maintenance");

        file.execute(clear).await.unwrap();
        publish_run(&warehouse, days(0, 2), at(hour), &[], &[(day(2), vec![("bolt", 1, hour)])]).await;
        assert_eq!(known(&mut file).await, two("2026-01-02", "2026-01-03"), "by a publish");
        assert_eq!(events(&warehouse, 2).await, [0, hour]);
    }

    // Other rows than the ledger's are not kept: nobody would notice when they are mended.
    file.execute("DELETE FROM newest_days; UPDATE fact_company_activity SET events = 99 WHERE activity_date = '2026-01-03'")
        .await
        .unwrap();
    warehouse.sum_up_days().await.unwrap();
    assert_eq!(known(&mut file).await, [("2026-01-02".to_owned(), 2)]);
    assert_eq!(events(&warehouse, 2).await, [99, 99]);
}

#[tokio::test]
async fn a_day_that_is_taken_back_goes_with_its_rows() {
    let (_folder, warehouse, mut file) = published().await;
    take_back(&warehouse, days(2, 2), at(2)).await;
    assert_eq!(known(&mut file).await, [("2026-01-02".to_owned(), 2)]);
}
