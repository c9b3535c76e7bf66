//! What the roles of the database may do. The conformance suite shows that services can
//! work in theirs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod migrated;
mod role_creation;

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use domain::OperatorAction;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use test_postgres::{Cluster, Database, OWNER, READER, WRITER};
use url::Url;
use warehouse_conformance::{
    EngineUnderTest,
    scene::{at, company, day, days, export, publish_run, published},
};
use warehouse_core::{ActivityReader, AuditQuery, AuditTrail, NewAuditEntry, SharedWarehouse};
use warehouse_postgres::PostgresWarehouse;

/// Much longer than anything here takes.
const SOON: Duration = Duration::from_secs(50);

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// A warehouse with two published days, the first one a candidate to be tampered with.
async fn published_days() -> (Database, EngineUnderTest) {
    let (database, warehouse) = migrated::open().await;
    let usage = [(day(0), vec![("acme", 1, 1)]), (day(1), vec![("acme", 2, 2)])];
    publish_run(
        &warehouse,
        days(0, 1),
        at(1),
        &[(export(day(0), "1"), vec![company("acme", "Acme")])],
        &usage,
    )
    .await;
    (database, warehouse)
}

/// The message with which the database refuses a statement.
async fn refusal(connection: &mut PgConnection, statement: &str) -> String {
    match connection.execute(AssertSqlSafe(statement)).await {
        Ok(_) => format!("NOT REFUSED: {statement}"),
        Err(error) => format!("{statement}: {error}"),
    }
}

#[tokio::test]
async fn a_service_changes_neither_the_schema_nor_what_is_on_record() {
    let (database, warehouse) = published_days().await;
    let ledger = warehouse.published_days(days(0, 1)).await.unwrap();
    let mut service = connect(&database.url_of(WRITER)).await;
    // A warning that nothing was granted, and no error.
    service.execute("GRANT ALL ON published_days, audit_actions TO activity_writer").await.unwrap();
    for statement in [
        // The ledger.
        "UPDATE published_days SET checksum = 0",
        "UPDATE published_days SET published_at = now()",
        "DELETE FROM published_days",
        "DELETE FROM day_totals",
        "TRUNCATE published_days",
        "INSERT INTO published_days (activity_date, run_id, published_at, row_count, checksum)
           VALUES ('2026-02-01', gen_random_uuid(), now(), 0, 0)",
        // What was published before.
        "DELETE FROM fact_history",
        "UPDATE fact_history SET replaced_at = now()",
        "INSERT INTO fact_history SELECT company_id, activity_date, now(), gen_random_uuid(), kept_row(fact)
           FROM fact_company_activity AS fact",
        "DELETE FROM day_publications",
        "UPDATE day_publications SET row_count = NULL",
        "INSERT INTO day_publications (activity_date, published_at, run_id)
           VALUES ('2026-01-01', now(), gen_random_uuid())",
        "SELECT note_publish(gen_random_uuid(), now())",
        // The audit trail, and what runs and alerts say.
        "UPDATE audit_actions SET actor = 'token:bob'",
        "DELETE FROM audit_actions",
        "UPDATE audit_ends SET outcome = 'SUCCEEDED'",
        "DELETE FROM audit_ends",
        "TRUNCATE audit_actions, audit_ends",
        "UPDATE pipeline_runs SET requested_by = 'token:bob'",
        "UPDATE pipeline_runs SET window_start = '2026-01-01'",
        "DELETE FROM pipeline_runs",
        "DELETE FROM pipeline_run_stages",
        "UPDATE alert_outbox SET error_message = 'nothing'",
        "DELETE FROM alert_outbox",
        "DELETE FROM alert_deliveries",
        "DELETE FROM pipeline_stage_attempts",
        "UPDATE pipeline_stage_attempts SET error_message = 'nothing'",
        "DELETE FROM run_audits",
        "UPDATE run_audits SET run_id = gen_random_uuid()",
        "UPDATE reconciliations SET mismatches = 0",
        "DELETE FROM usage_days",
        "DELETE FROM crm_exports",
        // The schema.
        "DROP TABLE fact_company_activity",
        "DROP TABLE fact_company_activity_y2026m01",
        "ALTER TABLE fact_company_activity DETACH PARTITION fact_company_activity_y2026m01",
        "ALTER TABLE published_days ADD COLUMN note TEXT",
        "ALTER TABLE audit_actions DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_actions_stay ON audit_actions",
        "TRUNCATE fact_company_activity",
        "DELETE FROM fact_company_activity_y2026m01",
        "CREATE TABLE mine (id INTEGER)",
        "CREATE INDEX mine ON published_days (run_id)",
        "CREATE SCHEMA mine",
        "UPDATE schema_compatibility SET oldest_known = 99",
        "DELETE FROM _sqlx_migrations",
        // The functions, and whose rights they have.
        "CREATE FUNCTION mine() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION month_partition(parent TEXT, day TIMESTAMP) RETURNS TEXT LANGUAGE sql AS 'SELECT NULL'",
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER FUNCTION analyze_build() RESET search_path",
        "DROP FUNCTION analyze_build()",
        "CALL grant_rights()",
        "SET ROLE test_activity_owner",
        "SET SESSION AUTHORIZATION test_activity_owner",
    ] {
        let refused = refusal(&mut service, statement).await;
        assert!(
            ["permission denied", "must be owner", "only ever added to"]
                .iter()
                .any(|words| refused.contains(words)),
            "{refused}"
        );
    }
    assert_eq!(warehouse.published_days(days(0, 1)).await.unwrap(), ledger);
}

#[tokio::test]
async fn the_owners_functions_do_what_they_are_for_and_nothing_else() {
    let (database, warehouse) = published_days().await;
    let ledger = warehouse.published_days(days(0, 1)).await.unwrap();
    let mut service = connect(&database.url_of(WRITER)).await;
    let newest_run: uuid::Uuid =
        sqlx::query_scalar("SELECT run_id FROM pipeline_runs").fetch_one(&mut service).await.unwrap();
    let of_run = |call: &str| call.replace("RUN", &format!("'{newest_run}'"));
    for (call, words) in [
        // A run that has ended publishes nothing, and one that publishes takes nothing back.
        (
            of_run("record_published_days(RUN, now(), '{2026-01-01}', '{1}', '{1}', 1)"),
            "nothing that it may publish",
        ),
        (of_run("remove_unpublished_days(RUN, '2026-01-01', '2026-01-01')"), "does not take back"),
        (of_run("remove_unpublished_days(RUN, now(), '2026-01-01', '2026-01-01')"), "does not take back"),
        (of_run("keep_replaced_rows(RUN, now(), '2026-01-01', '2026-01-01')"), "nothing that replaces a row"),
        (of_run("log_publish(RUN, '2026-01-01')"), "is not the newest"),
        ("forget_history_before('infinity')".to_owned(), "from the newest publish on at least"),
        ("forget_months_before('2030-01-01', '2029-12-01')".to_owned(), "is not published"),
        ("forget_months_before('2026-01-02', '2025-12-01')".to_owned(), "whole months"),
        ("forget_months_before('2026-01-01', '2029-12-01')".to_owned(), "whole months"),
        (
            "ensure_month_partitions('published_days', '2026-01-01', '2026-01-01')".to_owned(),
            "not partitioned",
        ),
        (
            "ensure_month_partitions('x\"; DROP TABLE y', '2026-01-01', '2026-01-01')".to_owned(),
            "not partitioned",
        ),
        ("ensure_month_partitions('fact_events', '2026-01-01', 'infinity')".to_owned(), "is in no month"),
        ("ensure_month_partitions('fact_events', '-infinity', '2026-01-01')".to_owned(), "is in no month"),
        ("publish_new_month('infinity', now())".to_owned(), "is in no month"),
        // A month that has its partition, whether there are candidates or not.
        ("publish_new_month('2026-01-01', now())".to_owned(), "already exists"),
        ("index_candidate_month('2026-01-01')".to_owned(), "are in no table of their own"),
        ("index_candidate_month('infinity')".to_owned(), "are in no table of their own"),
        ("analyze_if_grown('pg_class', '2026-01-01', '2026-01-01', 1000000)".to_owned(), "not partitioned"),
    ] {
        let refused = refusal(&mut service, &format!("SELECT {call}")).await;
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(warehouse.published_days(days(0, 1)).await.unwrap(), ledger);
}

/// A service makes tables of months by the functions alone, and those of a build alone.
#[tokio::test]
async fn a_service_attaches_nothing_but_candidates_of_new_months() {
    let (database, warehouse) = published_days().await;
    let ledger = warehouse.published_days(days(0, 1)).await.unwrap();
    let mut service = connect(&database.url_of(WRITER)).await;
    // January has its partition, and gets no table whatever the build's days are.
    service
        .execute(
            "INSERT INTO fact_build_days (activity_date, churn_from, is_new)
             VALUES ('2026-01-05', '2026-01-01', TRUE), ('2026-02-05', '2026-02-01', TRUE);
             SELECT create_candidate_months()",
        )
        .await
        .unwrap();
    let candidate = |day: &str, change: &str| {
        format!(
            "INSERT INTO fact_candidates VALUES
               ('acme', '{day}', NULL, NULL, NULL, NULL, 1, 1, 1, FALSE, NULL, NULL, '{change}')"
        )
    };
    for (statement, words) in [
        ("SELECT index_candidate_month('2026-01-05')".to_owned(), "are in no table of their own"),
        ("SELECT publish_new_month('2026-01-05', now())".to_owned(), "already exists"),
        (candidate("2026-02-05", "CHANGED"), "is_new"),
        ("ALTER TABLE fact_candidates_y2026m02 DROP CONSTRAINT is_new".to_owned(), "must be owner"),
        ("ALTER TABLE fact_candidates DETACH PARTITION fact_candidates_y2026m02".to_owned(), "must be owner"),
        ("DROP TABLE fact_candidates_y2026m02".to_owned(), "must be owner"),
        (
            "INSERT INTO fact_candidates_y2026m02 SELECT * FROM fact_candidates".to_owned(),
            "permission denied",
        ),
        ("CREATE TABLE fact_candidates_y2026m03 (LIKE fact_candidates)".to_owned(), "permission denied"),
        (
            "CREATE TABLE mine PARTITION OF fact_candidates FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')"
                .to_owned(),
            "permission denied",
        ),
    ] {
        let refused = refusal(&mut service, &statement).await;
        assert!(refused.contains(words), "{refused}");
    }
    // What it can do, it could before: publish candidates, which no ledger then knows.
    service.execute(AssertSqlSafe(candidate("2026-02-05", "NEW"))).await.unwrap();
    service.execute("SELECT publish_new_month('2026-02-05', now())").await.unwrap();
    let owners: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT tableowner::TEXT FROM pg_tables WHERE tablename ~ '^fact_(company_activity|candidates)'",
    )
    .fetch_all(&mut service)
    .await
    .unwrap();
    assert_eq!(owners, [OWNER]);
    assert_eq!(warehouse.published_days(days(0, 1)).await.unwrap(), ledger);
}

#[tokio::test]
async fn a_services_own_tables_and_path_mislead_no_function_of_the_owner() {
    let (database, warehouse) = published_days().await;
    let ledger = warehouse.published_days(days(0, 1)).await.unwrap();
    let mut service = connect(&database.url_of(WRITER)).await;
    // Tables by which, if they counted, a run that never was would publish.
    for statement in [
        "CREATE TEMPORARY TABLE fact_build (run_id UUID, staging_version BIGINT, publish_version BIGINT)",
        "CREATE TEMPORARY TABLE fact_build_days (activity_date DATE, is_new BOOLEAN)",
        "CREATE TEMPORARY TABLE warehouse_versions (staging BIGINT, publish BIGINT)",
        "CREATE TEMPORARY TABLE pipeline_runs (run_id UUID, state TEXT)",
        "INSERT INTO fact_build VALUES ('00000000-0000-0000-0000-000000000000', 1, 1)",
        "INSERT INTO fact_build_days VALUES ('2026-01-01', FALSE)",
        "INSERT INTO warehouse_versions VALUES (1, 1)",
        "INSERT INTO pipeline_runs VALUES ('00000000-0000-0000-0000-000000000000', 'RUNNING')",
        "CREATE FUNCTION pg_temp.month_partition(parent TEXT, day DATE) RETURNS TEXT LANGUAGE sql
           AS 'SELECT parent::TEXT'",
        "SET search_path = pg_temp, public",
    ] {
        service.execute(statement).await.unwrap();
    }
    let forged = "SELECT public.record_published_days(
        '00000000-0000-0000-0000-000000000000', now(), '{2026-01-01}', '{5}', '{5}', 1)";
    let refused = refusal(&mut service, forged).await;
    assert!(refused.contains("nothing that it may publish"), "{refused}");
    let refused = refusal(
        &mut service,
        "SELECT public.ensure_month_partitions('published_days', '2026-01-01', '2026-01-01')",
    )
    .await;
    assert!(refused.contains("not partitioned"), "{refused}");
    assert_eq!(warehouse.published_days(days(0, 1)).await.unwrap(), ledger);
}

#[tokio::test]
async fn what_runs_with_the_owners_rights_has_a_fixed_path_and_is_for_services_alone() {
    let (database, _warehouse) = migrated::open().await;
    let functions: Vec<(String, Vec<String>, bool, bool)> = sqlx::query_as(
        "SELECT proname::TEXT, COALESCE(proconfig, '{}'), has_function_privilege('activity_writer', oid, 'EXECUTE'),
                has_function_privilege('activity_reader', oid, 'EXECUTE')
         FROM pg_proc WHERE pronamespace = 'public'::REGNAMESPACE AND prosecdef ORDER BY 1",
    )
    .fetch_all(&mut connect(&database.url()).await)
    .await
    .unwrap();
    let names: Vec<&str> = functions.iter().map(|(name, ..)| name.as_str()).collect();
    let expected = [
        "analyze_build",
        "analyze_if_grown",
        "create_candidate_months",
        "drop_candidate_months",
        "ensure_month_partitions",
        "forget_history_before",
        "forget_months_before",
        "hold_back_new_runs",
        "index_candidate_month",
        "keep_replaced_rows",
        "log_publish",
        "publish_new_month",
        "record_published_days",
        "remove_unpublished_days",
        "remove_unpublished_days",
    ];
    assert_eq!(names, expected);
    for (name, settings, for_writers, for_readers) in functions {
        assert_eq!(
            (settings, for_writers, for_readers),
            (vec!["search_path=public, pg_temp".to_owned()], true, false),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_reader_reads_what_is_published_and_writes_nothing() {
    let (database, _warehouse) = published_days().await;
    let mut reader = connect(&database.url_of(READER)).await;
    let relations: Vec<(String, bool, bool)> = sqlx::query_as(
        "SELECT relname::TEXT, has_table_privilege(oid, 'SELECT'),
                has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                  OR has_any_column_privilege(oid, 'INSERT, UPDATE, REFERENCES')
         FROM pg_class WHERE relnamespace = 'public'::REGNAMESPACE AND relkind IN ('r', 'p', 'v', 'm') ORDER BY 1",
    )
    .fetch_all(&mut reader)
    .await
    .unwrap();
    let with = |wanted: fn(&(String, bool, bool)) -> bool| -> Vec<&str> {
        relations.iter().filter(|one| wanted(one)).map(|(name, ..)| name.as_str()).collect()
    };
    let readable = [
        "_sqlx_migrations",
        "agg_company_daily_events",
        "day_publications",
        "fact_company_activity",
        "fact_events",
        "fact_history",
        "known_day_totals",
        "published_days",
        "schema_compatibility",
        "warehouse_versions",
    ];
    assert_eq!(with(|(_, may_read, _)| *may_read), readable);
    assert!(with(|(_, _, may_write)| *may_write).is_empty());
    for statement in [
        "INSERT INTO audit_actions (action, actor, details, requested_at) VALUES ('TRIGGER', 'x', '', now())",
        "DELETE FROM fact_company_activity",
        "SELECT * FROM crm_company_versions",
        "SELECT ensure_month_partitions('fact_events', '2026-01-01', '2026-01-01')",
        "SELECT publish_changed_rows(now())",
        "CALL grant_rights()",
        "CREATE TABLE mine (id INTEGER)",
        "CREATE FUNCTION mine() RETURNS INTEGER LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE activity_writer",
    ] {
        let refused = refusal(&mut reader, statement).await;
        assert!(refused.contains("permission denied"), "{refused}");
    }
}

fn log_filter_change() -> NewAuditEntry {
    NewAuditEntry {
        action: OperatorAction::LogLevel,
        actor: "anonymous".to_owned(),
        address: None,
        details: "debug".to_owned(),
        requested_at: DateTime::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn a_warehouse_that_is_open_to_read_writes_nothing_but_the_audit_trail_and_that_as_its_role_may() {
    let (database, warehouse) = published_days().await;
    let as_reader = PostgresWarehouse::open_to_read(&database.url_of(READER)).await.unwrap();
    assert_eq!(
        as_reader.published_days(days(0, 1)).await.unwrap(),
        warehouse.published_days(days(0, 1)).await.unwrap()
    );
    let refused = as_reader.record_action(&log_filter_change()).await.unwrap_err().to_string();
    assert!(refused.contains("permission denied"), "{refused}");

    let as_service = PostgresWarehouse::open_to_read(&database.url_of(WRITER)).await.unwrap();
    as_service.record_action(&log_filter_change()).await.unwrap();
    let recorded = warehouse.audit_entries(&AuditQuery::default(), 10).await.unwrap();
    assert_eq!(recorded.len(), 1);
}

#[tokio::test]
async fn a_standby_is_read_in_the_readers_role() {
    let primary = Cluster::start("-c fsync=off").unwrap();
    let standby = primary.standby().unwrap();
    let database = Database::create_with_roles_on(primary.url()).await.unwrap();
    PostgresWarehouse::migrate(&database.url_of(OWNER)).await.unwrap();
    let service: SharedWarehouse = Arc::new(PostgresWarehouse::open(&database.url_of(WRITER)).await.unwrap());
    publish_run(&service, days(0, 1), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let expected = published(&service, days(0, 1)).await;

    let path = Url::parse(&database.url()).unwrap().path().to_owned();
    let mut url = standby.url();
    url.set_path(&path);
    url.set_username(READER).unwrap();
    let arrival = async {
        // What is replayed arrives in its order: first the database, last the days.
        loop {
            let Ok(mut connection) = PgConnection::connect(url.as_str()).await else { continue };
            let days = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM published_days");
            if days.fetch_one(&mut connection).await.is_ok_and(|days| days == 2) {
                break;
            }
        }
    };
    tokio::time::timeout(SOON, arrival).await.unwrap();
    let reader = PostgresWarehouse::open_to_read(url.as_str()).await.unwrap();
    let refused = reader.record_action(&log_filter_change()).await.unwrap_err().to_string();
    assert!(refused.contains("a standby, for one, takes no writes"), "{refused}");
    let reader: SharedWarehouse = Arc::new(reader);
    assert_eq!(published(&reader, days(0, 1)).await, expected);
    assert_eq!(
        reader.published_days(days(0, 1)).await.unwrap(),
        service.published_days(days(0, 1)).await.unwrap()
    );
}
