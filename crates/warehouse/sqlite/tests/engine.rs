//! What the embedded engine guarantees beyond the behaviours of every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use domain::{ActionOutcome, CompanyId, FactKey, FailureKind, OperatorAction};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use warehouse_conformance::scene::{at, company, day, days, export, publish_run};
use warehouse_core::{ActionEnd, ActivityReader, AuditQuery, AuditTrail, NewAuditEntry, SharedWarehouse};
use warehouse_sqlite::SqliteWarehouse;

/// Reverts the file to before the ledger had checksums.
const WITHOUT_CHECKSUMS: &str = "
    DROP VIEW fact_rows_of_days;
    DROP VIEW known_newest_days;
    DROP VIEW two_newest_days;
    DROP VIEW known_day_totals;
    ALTER TABLE published_days DROP COLUMN checksum;
    DELETE FROM _sqlx_migrations WHERE version = 3";

/// Reverts the file to before staged usage was in the order of days.
const USAGE_BY_COMPANY: &str = "
    ALTER TABLE stg_product_usage RENAME TO usage_by_day;
    CREATE TABLE stg_product_usage (
      company_id TEXT NOT NULL, date DATE NOT NULL, active_users INTEGER NOT NULL, events BIGINT NOT NULL,
      PRIMARY KEY (company_id, date)
    ) WITHOUT ROWID;
    CREATE INDEX stg_product_usage_by_date ON stg_product_usage (date);
    INSERT INTO stg_product_usage SELECT * FROM usage_by_day;
    DROP TABLE usage_by_day;
    DELETE FROM _sqlx_migrations WHERE version = 13";

#[tokio::test]
async fn usage_staged_in_the_order_of_companies_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    let usage = [
        (day(0), vec![("acme", 1, 10), ("bolt", 2, 20)]),
        (day(1), vec![("acme", 3, 30)]),
        (day(2), vec![("bolt", 4, 40)]),
    ];
    publish_run(&warehouse, days(0, 2), at(1), &[], &usage).await;
    drop(warehouse);

    let staged = "SELECT company_id, date, active_users, events FROM stg_product_usage ORDER BY 1, 2";
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    let before: Vec<(String, String, i64, i64)> = sqlx::query_as(staged).fetch_all(&mut file).await.unwrap();
    assert_eq!(before.len(), 4);
    file.execute(USAGE_BY_COMPANY).await.unwrap();
    file.close().await.unwrap();

    let migrated: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    let after: Vec<(String, String, i64, i64)> = sqlx::query_as(staged).fetch_all(&mut file).await.unwrap();
    assert_eq!(after, before);
    publish_run(&migrated, days(3, 3), at(2), &[], &[(day(3), vec![("acme", 5, 50)])]).await;
    let key = |company| FactKey { company_id: CompanyId::parse(company).unwrap(), activity_date: day(3) };
    for (company, users) in [("acme", 9), ("bolt", 6)] {
        let (row, _) = migrated.fact_row(&key(company)).await.unwrap().unwrap();
        assert_eq!(row.active_users_7d, users, "{company}");
    }
}

/// The indexes of the fact, each with its definition.
async fn fact_indexes(file: &mut SqliteConnection) -> Vec<(String, String)> {
    let indexes = "SELECT name, sql FROM sqlite_schema
                   WHERE type = 'index' AND tbl_name = 'fact_company_activity' AND sql IS NOT NULL ORDER BY name";
    sqlx::query_as(indexes).fetch_all(file).await.unwrap()
}

#[tokio::test]
async fn the_fact_has_its_indexes_after_every_publish_also_those_of_a_newer_program() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    file.execute(r#"CREATE INDEX "of ""late""" ON fact_company_activity (loaded_at) WHERE events > 0"#)
        .await
        .unwrap();
    let indexes = fact_indexes(&mut file).await;
    assert_eq!(indexes.len(), 2);

    let companies = |count| (0..count).map(|number| (["a", "b", "c", "d", "e"][number], 1, 1)).collect();
    // The first fills an empty fact, the second is small beside it, the third is larger.
    for (hour, (first, last, count)) in (1..).zip([(0, 4, 3), (5, 5, 3), (6, 30, 5)]) {
        let usage = [(day(first), companies(count))];
        publish_run(&warehouse, days(first, last), at(hour), &[], &usage).await;
        assert_eq!(fact_indexes(&mut file).await, indexes, "after publish {hour}");
        let problems: String =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut file).await.unwrap();
        assert_eq!(problems, "ok", "after publish {hour}");
    }
    let counted: Vec<(NaiveDate, i64)> = sqlx::query_as(
        "SELECT activity_date, COUNT(*) FROM fact_rows_by_day GROUP BY activity_date ORDER BY activity_date",
    )
    .fetch_all(&mut file)
    .await
    .unwrap();
    let ledger = warehouse.published_days(days(0, 30)).await.unwrap();
    let recorded = ledger.iter().map(|published| (published.activity_date, published.row_count));
    let recorded: Vec<_> = recorded.filter(|(_, rows)| *rows > 0).collect();
    assert_eq!(counted, recorded);
}

#[tokio::test]
async fn days_published_before_there_were_checksums_get_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    let usage = [(day(0), vec![("acme", 1, 1), ("bolt", 2, 2)])];
    publish_run(&warehouse, days(-1, 40), at(1), &[], &usage).await;
    let ledger = warehouse.published_days(days(-1, 40)).await.unwrap();
    assert_eq!((ledger[0].row_count, ledger[1].row_count, ledger[41].row_count), (0, 2, 0));
    drop(warehouse);

    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    file.execute(WITHOUT_CHECKSUMS).await.unwrap();
    file.close().await.unwrap();
    let migrated = SqliteWarehouse::open(&url).await.unwrap();
    assert_eq!(migrated.published_days(days(-1, 40)).await.unwrap(), ledger);
}

#[tokio::test]
async fn an_export_is_recorded_with_its_copy() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    let (first, second) = (export(day(0), "1"), export(day(0), "2"));
    for (export, hour) in [(first, 1), (second.clone(), 2)] {
        publish_run(&warehouse, days(0, 0), at(hour), &[(export, vec![company("acme", "Acme")])], &[]).await;
    }
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    let recorded: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT etag, archive_path FROM crm_exports").fetch_all(&mut file).await.unwrap();
    assert_eq!(recorded, [(second.etag, second.archive_path)]);
}

#[tokio::test]
async fn what_no_service_can_have_written_is_a_failure_and_not_a_default() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse: SharedWarehouse = Arc::new(SqliteWarehouse::open(&url).await.unwrap());
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    file.execute("UPDATE usage_days SET records = -1").await.unwrap();
    file.execute("UPDATE fact_company_activity SET active_users = 3000000000").await.unwrap();
    file.close().await.unwrap();
    let failed = warehouse.usage_days(days(0, 0)).await.unwrap_err();
    assert_eq!((failed.kind(), failed.said()), (FailureKind::Internal, Some("a count is -1")));
    let key = FactKey { company_id: CompanyId::parse("acme").unwrap(), activity_date: day(0) };
    let failed = warehouse.fact_row(&key).await.unwrap_err();
    assert!(failed.to_string().contains("it holds a value that no service writes"), "{failed}");
}

#[tokio::test]
async fn a_url_without_a_file_is_refused() {
    for url in ["sqlite://", "sqlite:", "sqlite::memory:", "sqlite://:memory:", "sqlite:///x?mode=memory"] {
        let problem = SqliteWarehouse::open(url).await.unwrap_err().to_string();
        assert!(problem.contains("names no file"), "{url}: {problem}");
    }
}

#[tokio::test]
async fn nobody_changes_or_removes_an_audit_entry() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
    let warehouse = SqliteWarehouse::open(&url).await.unwrap();
    let new = NewAuditEntry {
        action: OperatorAction::Cancel,
        actor: "token:alice".to_owned(),
        address: None,
        details: "run 7".to_owned(),
        requested_at: DateTime::UNIX_EPOCH,
    };
    let id = warehouse.record_action(&new).await.unwrap();
    let end =
        ActionEnd { outcome: ActionOutcome::Refused, message: String::new(), ended_at: DateTime::UNIX_EPOCH };
    warehouse.record_end(id, &end).await.unwrap();
    let recorded = warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap();
    let mut file = url.parse::<SqliteConnectOptions>().unwrap().connect().await.unwrap();
    for statement in [
        "UPDATE audit_actions SET actor = 'token:bob'",
        "DELETE FROM audit_actions",
        "INSERT OR REPLACE INTO audit_actions VALUES (1, 'cancel', 'token:bob', NULL, '', '')",
        "UPDATE audit_ends SET outcome = 'SUCCEEDED'",
        "DELETE FROM audit_ends",
        "REPLACE INTO audit_ends VALUES (1, 'SUCCEEDED', '', '')",
    ] {
        let refused = file.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added to"), "{statement}: {refused}");
    }
    file.close().await.unwrap();
    assert_eq!(warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap(), recorded);
}
