//! What Postgres guarantees beyond the behaviours of every engine.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrated;

use std::sync::Arc;

use chrono::DateTime;
use domain::{
    ActionOutcome, FailureKind, OperatorAction,
    run::{STAGE_CALL_PRODUCT_API, STAGE_COPY_CRM_CSV},
};
use futures::future;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use test_postgres::Database;
use warehouse_conformance::scene::{
    at, company, day, days, export, hold_run, id, publish_run, published, records, rejected,
};
use warehouse_core::{
    Acceptance, ActionEnd, ActivityReader, AuditQuery, NewAuditEntry, QuarantineFilter, SharedWarehouse,
};
use warehouse_postgres::PostgresWarehouse;

async fn connect(database: &Database) -> PgConnection {
    database.url().parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

async fn partitions_of(database: &Database, parent: &str) -> Vec<String> {
    let mut connection = connect(database).await;
    let partitions = sqlx::query_scalar(
        "SELECT inhrelid::regclass::TEXT FROM pg_inherits WHERE inhparent = $1::regclass ORDER BY 1",
    )
    .bind(parent)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    partitions
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let database = Database::create().await.unwrap();
    let url = database.url();
    let opened = future::join_all((0..4).map(|_| PostgresWarehouse::open(&url))).await;
    assert!(opened.iter().all(Result::is_ok), "{opened:?}");
    let mut connection = connect(&database).await;
    let applied: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations").fetch_one(&mut connection).await.unwrap();
    let known = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert_eq!(usize::try_from(applied).unwrap(), known);
}

#[tokio::test]
async fn an_engine_shows_nothing_of_its_password() {
    let (_database, warehouse) = migrated::open().await;
    assert_eq!(format!("{warehouse:?}"), "PostgresWarehouse { .. }");
}

#[tokio::test]
async fn an_acceptance_ends_when_the_version_before_replaces_the_words() {
    let (database, shared) = migrated::open().await;
    let run = hold_run(&shared, days(0, 0), at(1)).await;
    let fence = run.begin(STAGE_CALL_PRODUCT_API).await;
    let rows = |text| vec![rejected(1, "torn", text), rejected(2, "torn", "?")];
    run.load_usage(&fence, day(0), rows("x")).await.unwrap();
    let acceptance = Acceptance { at: at(2), by: "alice".into(), why: "a test".into() };
    shared.accept_quarantined(&QuarantineFilter::default(), &acceptance, Some(2)).await.unwrap();
    let mut connection = connect(&database).await;
    for (text, accepted) in [("x", 2), ("y", 1)] {
        // As that version does; it does not know of the other columns.
        sqlx::query("UPDATE quarantine SET reason = 'torn', raw = $1 WHERE line = 1")
            .bind(text)
            .execute(&mut connection)
            .await
            .unwrap();
        let open = QuarantineFilter { accepted: Some(true), ..QuarantineFilter::default() };
        assert_eq!(shared.list_quarantine(&open, None, 9).await.unwrap().len(), accepted, "{text}");
    }
}

#[tokio::test]
async fn a_stored_count_that_is_negative_is_a_failure_and_not_zero() {
    let (database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    connect(&database).await.execute("UPDATE usage_days SET records = -1").await.unwrap();
    let failed = warehouse.usage_days(days(0, 0)).await.unwrap_err();
    assert_eq!((failed.kind(), failed.said()), (FailureKind::Internal, Some("a count is -1")));
}

#[tokio::test]
async fn months_get_their_partitions_however_far_back() {
    let (database, warehouse) = migrated::open().await;
    let usage = [(day(-700), vec![("acme", 1, 1)]), (day(0), vec![("acme", 1, 1)])];
    publish_run(&warehouse, days(-1, 31), at(1), &[], &usage).await;
    let staged = ["stg_product_usage_y2024m02", "stg_product_usage_y2026m01"];
    assert_eq!(partitions_of(&database, "stg_product_usage").await, staged);
    let published =
        ["y2025m12", "y2026m01", "y2026m02"].map(|month| format!("fact_company_activity_{month}"));
    assert_eq!(partitions_of(&database, "fact_company_activity").await, published);
}

#[tokio::test]
async fn a_month_that_is_published_whole_has_every_index() {
    let (database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(0, 3), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let mut connection = connect(&database).await;
    let lacking: Vec<String> = sqlx::query_scalar(
        "SELECT wanted.indexrelid::regclass::TEXT FROM pg_index AS wanted
         WHERE wanted.indrelid = 'fact_company_activity'::regclass AND NOT EXISTS (
           SELECT 1 FROM pg_inherits JOIN pg_index AS built ON built.indexrelid = inhrelid
           WHERE inhparent = wanted.indexrelid AND built.indisvalid
             AND built.indrelid = 'fact_company_activity_y2026m01'::regclass
         )",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(lacking, [""; 0]);
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_month_that_was_published_without_rows_takes_the_rows_that_come_late() {
    let (_database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(0, 0), at(1), &[], &[]).await;
    publish_run(&warehouse, days(0, 0), at(2), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    assert_eq!(published(&warehouse, days(0, 0)).await.len(), 1);
}

#[tokio::test]
async fn a_long_build_gets_by_with_one_connection() {
    let database = Database::create().await.unwrap();
    let mut url: url::Url = database.url().parse().unwrap();
    url.query_pairs_mut().append_pair("max_connections", "1");
    let warehouse: SharedWarehouse = Arc::new(PostgresWarehouse::open(url.as_str()).await.unwrap());
    let window = days(0, 99);
    publish_run(&warehouse, window, at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    assert_eq!(published(&warehouse, window).await.len(), 14, "a company fades out");
}

#[tokio::test]
async fn a_month_that_two_need_at_once_gets_one_partition() {
    let (database, _warehouse) = migrated::open().await;
    let ensure = async || {
        let mut connection = connect(&database).await;
        connection
            .execute("SELECT ensure_month_partitions('stg_product_usage', '2020-01-15', '2020-12-01')")
            .await
            .unwrap();
    };
    future::join_all((0..6).map(|_| ensure())).await;
    assert_eq!(partitions_of(&database, "stg_product_usage").await.len(), 12);
}

#[tokio::test]
async fn a_new_month_does_not_wait_for_readers() {
    let (database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let mut reader = connect(&database).await;
    let mut reading = reader.begin().await.unwrap();
    reading.execute("SELECT * FROM fact_company_activity").await.unwrap();
    publish_run(&warehouse, days(60, 60), at(2), &[], &[(day(60), vec![("acme", 1, 1)])]).await;
    assert_eq!(published(&warehouse, days(60, 60)).await.len(), 1);
    reading.rollback().await.unwrap();
}

#[tokio::test]
async fn the_seeds_staging_view_has_each_companys_newest_version() {
    let (database, warehouse) = migrated::open().await;
    let run = hold_run(&warehouse, days(0, 5), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    run.load_crm(&crm, &export(day(5), "1"), &[company("acme", "new"), company("Zed", "Zed")]).await.unwrap();
    run.load_crm(&crm, &export(day(0), "1"), &[company("acme", "old"), company("gone", "gone")])
        .await
        .unwrap();
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT company_id, name, country FROM stg_crm_companies ORDER BY company_id")
            .fetch_all(&mut connect(&database).await)
            .await
            .unwrap();
    let row = |company: &str, name: &str| (company.to_owned(), name.to_owned(), "SG".to_owned());
    assert_eq!(rows, [row("Zed", "Zed"), row("acme", "new"), row("gone", "gone")]);
}

#[tokio::test]
async fn text_that_postgres_cannot_hold_is_loaded_all_the_same() {
    let (_database, warehouse) = migrated::open().await;
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let mut odd = company("acme", "Acme");
    odd.attributes.country = Some("tab\t, quote\", \\N, nul\0".to_owned());
    let rows = vec![
        domain::SourceRow::Accepted { line: 2, row: odd },
        rejected(3, "no company", "nul \0 in the middle"),
    ];
    run.load_crm_rows(&crm, &export(day(0), "1"), rows).await.unwrap();
    let quarantined = warehouse.staging.quarantined_rows(None, 10).await.unwrap();
    assert_eq!(quarantined.first().unwrap().raw, "nul \u{fffd} in the middle");
    run.complete(&crm).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    run.complete(&api).await;
    run.build().await;
    run.publish().await;
    let row = published(&warehouse, days(0, 0)).await.swap_remove(0);
    assert_eq!(
        (row.key.company_id, row.country.as_deref()),
        (id("acme"), Some("tab\t, quote\", \\N, nul\u{fffd}"))
    );
}

#[tokio::test]
async fn a_delivery_larger_than_every_buffer_arrives_whole() {
    let (_database, warehouse) = migrated::open().await;
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let api = run.begin(STAGE_CALL_PRODUCT_API).await;
    let names: Vec<String> = (0..12_000).map(|number| format!("company {number:06}")).collect();
    let numbers: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 2)).collect();
    let mut rows = records(day(0), &numbers);
    rows.extend((20_000..22_500).map(|line| rejected(line, "bad", "?")));
    let counters = run.load_usage(&api, day(0), rows.clone()).await.unwrap().counters;
    assert_eq!((counters.rows_read, counters.rows_written, counters.rows_rejected), (14_500, 12_000, 2_500));
    let again = run.load_usage(&api, day(0), rows).await.unwrap().counters;
    assert_eq!((again.rows_written, again.rows_unchanged, again.rows_rejected), (0, 12_000, 2_500));
    assert_eq!(warehouse.staging.quarantined_rows(None, 10_000).await.unwrap().len(), 2_500);
}

#[tokio::test]
async fn loads_of_two_runs_at_once_keep_each_other_whole() {
    let (_database, warehouse) = migrated::open().await;
    let names: Vec<String> = (0..500).map(|number| format!("company {number:06}")).collect();
    let daily = hold_run(&warehouse, days(0, 3), at(1)).await;
    let other = warehouse_conformance::scene::hold_run_of(&warehouse, "pl_other", days(0, 3), at(1)).await;
    let runs = [Arc::new(daily), Arc::new(other)];
    let loads = runs.iter().enumerate().map(|(number, run)| {
        let numbers: Vec<_> = names.iter().map(|name| (name.as_str(), 1, 1)).collect();
        async move {
            let api = run.begin(STAGE_CALL_PRODUCT_API).await;
            for on in 0..4 {
                let numbers =
                    if number == 0 { numbers.clone() } else { numbers.iter().rev().copied().collect() };
                run.load_usage(&api, day(on), records(day(on), &numbers)).await.unwrap();
            }
        }
    });
    future::join_all(loads).await;
    let staged = warehouse.usage_days(days(0, 3)).await.unwrap();
    assert_eq!(staged.iter().map(|day| day.records).collect::<Vec<_>>(), [500; 4]);
}

#[tokio::test]
async fn an_export_that_waits_for_names_holds_nothing_that_their_load_needs() {
    let (database, warehouse) = migrated::open().await;
    let run = hold_run(&warehouse, days(0, 0), at(1)).await;
    let crm = run.begin(STAGE_COPY_CRM_CSV).await;
    let delivered = [company("acme", "Acme"), company("bolt", "Bolt")];
    // A load of usage names its companies, and counts its change in the end.
    let (mut usage, mut watcher) = (connect(&database).await, connect(&database).await);
    let mut usage = usage.begin().await.unwrap();
    usage.execute("INSERT INTO known_companies (company_id) VALUES ('acme')").await.unwrap();
    let holder: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *usage).await.unwrap();
    let load_usage = async {
        let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid))";
        let mut waits = 0_i64;
        while waits == 0 {
            waits = sqlx::query_scalar(waiting).bind(holder).fetch_one(&mut watcher).await.unwrap();
        }
        usage.execute("UPDATE warehouse_versions SET staging = staging + 1").await.unwrap();
        usage.commit().await.unwrap();
    };
    let (loaded, ()) = future::join(run.load_crm(&crm, &export(day(0), "1"), &delivered), load_usage).await;
    assert_eq!(loaded.unwrap().counters.rows_written, 2);
    let names = sqlx::query_scalar::<_, String>("SELECT company_id FROM known_companies ORDER BY 1");
    assert_eq!(names.fetch_all(&mut watcher).await.unwrap(), ["acme", "bolt"]);
}

/// Reverts the database to before the ledger had checksums. Rights are given to a view that
/// compares them, so one of that name stays.
const WITHOUT_CHECKSUMS: &str = "
    DROP VIEW known_day_totals;
    CREATE VIEW known_day_totals AS SELECT activity_date FROM day_totals;
    ALTER TABLE published_days DROP COLUMN checksum, DROP COLUMN checksum_version;
    DROP FUNCTION fact_row_hash CASCADE;
    DROP TYPE fact_candidate_values, fact_values, crm_version_values CASCADE;
    DROP FUNCTION publish_changed_rows, is_same_company;
    DELETE FROM _sqlx_migrations WHERE version IN (3, 10, 11)";

#[tokio::test]
async fn days_published_before_there_were_checksums_get_theirs() {
    let (database, warehouse) = migrated::open().await;
    let usage = [(day(0), vec![("acme", 1, 1), ("bolt", 2, 2)])];
    publish_run(&warehouse, days(-1, 40), at(1), &[], &usage).await;
    let ledger = warehouse.published_days(days(-1, 40)).await.unwrap();
    assert_eq!((ledger[0].row_count, ledger[1].row_count, ledger[41].row_count), (0, 2, 0));
    connect(&database).await.execute(WITHOUT_CHECKSUMS).await.unwrap();
    let migrated = PostgresWarehouse::open(&database.url()).await.unwrap();
    assert_eq!(migrated.published_days(days(-1, 40)).await.unwrap(), ledger);
}

#[tokio::test]
async fn readers_may_check_a_checksum_themselves() {
    let (database, warehouse) = migrated::open().await;
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1), ("bolt", 2, 2)])]).await;
    let mut connection = connect(&database).await;
    connection.execute("SET ROLE activity_reader").await.unwrap();
    let computed: i64 = sqlx::query_scalar(
        r#"SELECT bit_xor(fact_row_hash(
             company_id, activity_date, company_name, country, industry_tag, last_contact_at, active_users,
             events, "7d_active_users", is_churn_risk, days_since_last_contact))
           FROM fact_company_activity"#,
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let entry = warehouse.published_days(days(0, 0)).await.unwrap().swap_remove(0);
    assert_eq!(entry.checksum.unwrap().to_stored(), computed);
}

#[tokio::test]
async fn an_export_is_recorded_with_its_copy() {
    let (database, warehouse) = migrated::open().await;
    let (first, second) = (export(day(0), "1"), export(day(0), "2"));
    for (export, hour) in [(first, 1), (second.clone(), 2)] {
        publish_run(&warehouse, days(0, 0), at(hour), &[(export, vec![company("acme", "Acme")])], &[]).await;
    }
    let recorded: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT etag, archive_path FROM crm_exports")
            .fetch_all(&mut connect(&database).await)
            .await
            .unwrap();
    assert_eq!(recorded, [(second.etag, second.archive_path)]);
}

#[tokio::test]
async fn nobody_changes_or_removes_an_audit_entry() {
    let (database, warehouse) = migrated::open().await;
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
    // As the owner of the tables, and a superuser.
    let mut connection = connect(&database).await;
    for statement in [
        "UPDATE audit_actions SET actor = 'token:bob'",
        "DELETE FROM audit_actions",
        "TRUNCATE audit_actions, audit_ends",
        "UPDATE audit_ends SET outcome = 'SUCCEEDED'",
        "DELETE FROM audit_ends",
        "TRUNCATE audit_ends",
        "INSERT INTO audit_ends VALUES (1, 'SUCCEEDED', '', now())
           ON CONFLICT (action_id) DO UPDATE SET outcome = 'SUCCEEDED'",
    ] {
        let refused = connection.execute(statement).await.unwrap_err().to_string();
        assert!(refused.contains("only ever added to"), "{statement}: {refused}");
    }
    assert_eq!(warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap(), recorded);
}
