//! How a program handles a schema that other versions have migrated.

use std::future::Future;

use domain::{DayTotals, UnknownChecksumVersion, run::STAGE_VALIDATE};
use futures::future;
use warehouse_core::{ActivityQuery, Error, MigrationReport, Result};

use crate::engine::EngineUnderTest;
use crate::scene::{at, company, day, days, export, hold_run, publish_run, published};

/// An empty database of an engine, to change behind the engine's back.
pub trait Database {
    /// Opens it the way a starting service does.
    fn open(&self) -> impl Future<Output = Result<EngineUnderTest>>;

    /// Migrates its schema.
    fn migrate(&self) -> impl Future<Output = Result<MigrationReport>>;

    /// Executes statements that every engine understands.
    fn execute(&self, statements: &'static str) -> impl Future<Output = ()>;
}

/// The version of [`NEXT_MIGRATION`].
const NEXT: i64 = 9_999;

/// A change to the schema that a later version may make without raising the mark: it
/// only adds.
const NEXT_MIGRATION: &str = r"
    ALTER TABLE pipeline_runs ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pipeline_run_stages ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE alert_outbox ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE alert_deliveries ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE audit_actions ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE audit_ends ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE quarantine ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE crm_exports ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE crm_snapshots ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE crm_company_versions ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_days ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE stg_product_usage ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE known_companies ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE dirty_company_days ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE warehouse_versions ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_build ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_build_days ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_candidates ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_company_activity ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE published_days ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_history ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE day_totals ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE day_publications ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event_files ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE fact_events ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE agg_company_daily_events ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE schema_compatibility ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE next_version (company_id TEXT NOT NULL PRIMARY KEY);
    CREATE INDEX next_version_runs ON pipeline_runs (next_version);
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    VALUES (9999, 'of the next version', TRUE, '\x00', 0);";

/// The highest mark that the next version may set if this one is still to work.
const HIGHEST_MARK: &str = "
    UPDATE schema_compatibility
    SET oldest_known = (SELECT MAX(version) FROM _sqlx_migrations WHERE version < 9999)";

/// The mark of a version that removed what this one needs.
const TOO_HIGH_A_MARK: &str = "
    UPDATE schema_compatibility
    SET oldest_known = (SELECT MAX(version) + 1 FROM _sqlx_migrations WHERE version < 9999)";

/// What the next version publishes, on day 1.
const NEXT_CHECKSUM: &str =
    "UPDATE published_days SET checksum_version = 9 WHERE activity_date = '2026-01-02'";

/// A warehouse whose schema the next version has extended.
pub async fn added_to(database: &impl Database) -> EngineUnderTest {
    database.migrate().await.unwrap();
    database.execute(NEXT_MIGRATION).await;
    database.open().await.unwrap()
}

/// Publishes a day on which one company has that many events.
async fn publish(warehouse: &EngineUnderTest, offset: i64, events: i64) {
    let export = (export(day(offset), "1"), vec![company("acme", "Acme")]);
    let usage = [(day(offset), vec![("acme", 1, events)])];
    publish_run(warehouse, days(offset, offset), at(offset), &[export], &usage).await;
}

/// A running program survives a migration by the next version, and another program of
/// its version starts after it.
pub async fn a_schema_that_the_next_version_added_to_is_worked_with(database: impl Database) {
    let running = database.open().await.unwrap();
    publish(&running, 0, 10).await;
    database.execute(NEXT_MIGRATION).await;
    database.execute(HIGHEST_MARK).await;
    publish(&running, 1, 11).await;
    let started = database.open().await.unwrap();
    publish(&started, 2, 12).await;
    let rows = published(&running, days(0, 2)).await;
    assert_eq!(rows.iter().map(|row| row.events).collect::<Vec<_>>(), [10, 11, 12]);
    assert_eq!(published(&started, days(0, 2)).await, rows);
}

/// Migrating a newer schema applies nothing and reports the unknown migrations.
pub async fn a_newer_schema_is_reported_and_left_alone(database: impl Database) {
    let known = database.migrate().await.unwrap().version;
    database.execute(NEXT_MIGRATION).await;
    let expected = MigrationReport {
        version_before: Some(NEXT),
        version: NEXT,
        newest_known: known,
        applied: vec![],
        unknown: vec![NEXT],
    };
    for _ in 0..2 {
        assert_eq!(database.migrate().await.unwrap(), expected);
    }
}

/// Any number of programs may start while the next version migrates: each finds the
/// schema before or after.
pub async fn programs_start_while_the_next_version_migrates(database: impl Database) {
    database.migrate().await.unwrap();
    let starting = future::join_all((0..4).map(|_| database.open()));
    let (opened, ()) = future::join(starting, database.execute(NEXT_MIGRATION)).await;
    for warehouse in opened {
        publish(&warehouse.unwrap(), 0, 10).await;
    }
    assert_eq!(database.migrate().await.unwrap().unknown, [NEXT]);
}

/// A program that the mark excludes does not start, and changes nothing.
pub async fn a_schema_that_took_something_away_is_refused(database: impl Database) {
    let known = database.migrate().await.unwrap().version;
    database.execute(NEXT_MIGRATION).await;
    database.execute(TOO_HIGH_A_MARK).await;
    let refusal = database.open().await.err().unwrap();
    assert!(matches!(refusal, Error::Precondition(_)), "{refusal:?}");
    let expected = format!(
        "the warehouse is at migration {NEXT} and takes programs that know migration {}; this one knows none \
         after {known}: use a newer version",
        known + 1
    );
    assert_eq!(refusal.to_string(), expected);
    assert_eq!(database.migrate().await.unwrap_err().to_string(), expected);
    database.execute(HIGHEST_MARK).await;
    assert_eq!(database.migrate().await.unwrap().unknown, [NEXT]);
}

/// A schema with a different lineage is not mixed with this program's.
pub async fn a_schema_of_another_line_is_refused(database: impl Database) {
    database.migrate().await.unwrap();
    database.execute("DELETE FROM _sqlx_migrations WHERE version = 4").await;
    database.execute(NEXT_MIGRATION).await;
    for _ in 0..2 {
        let refusal = database.open().await.err().unwrap().to_string();
        assert!(refusal.contains("has migration 9999, which this program does not know"), "{refusal}");
        assert!(refusal.contains("lacks 0004_crm_archive"), "{refusal}");
    }
}

/// A newer schema does not excuse changed known migrations.
pub async fn a_known_migration_that_was_changed_is_refused_on_a_newer_schema(database: impl Database) {
    database.migrate().await.unwrap();
    database.execute(NEXT_MIGRATION).await;
    database.execute(r"UPDATE _sqlx_migrations SET checksum = '\x00' WHERE version = 2").await;
    let refusal = database.open().await.err().unwrap().to_string();
    assert!(refusal.contains("migration 2 was previously applied but has been modified"), "{refusal}");
}

/// A day whose checksum a newer version wrote is neither compared nor published again; the
/// other days are.
pub async fn a_day_with_a_newer_checksum_is_reported_and_left_alone(database: impl Database) {
    let warehouse = database.open().await.unwrap();
    publish(&warehouse, 0, 10).await;
    publish(&warehouse, 1, 11).await;
    database.execute(NEXT_CHECKSUM).await;
    publish(&warehouse, 2, 12).await;
    let before = warehouse.published_days(days(0, 2)).await.unwrap();
    let is_known: Vec<bool> = before.iter().map(|entry| entry.checksum.is_ok()).collect();
    assert_eq!(is_known, [true, false, true]);
    assert_eq!(before[1].checksum, Err(UnknownChecksumVersion { number: 9 }));

    let rows = published(&warehouse, days(0, 2)).await;
    let run = hold_run(&warehouse, days(0, 2), at(5)).await;
    run.ingest(&[], &[(day(1), vec![("acme", 1, 99)])]).await;
    run.build().await;
    let fence = run.begin(STAGE_VALIDATE).await;
    let refused = warehouse.publish_fact(&fence, days(0, 2), &[], at(6)).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(_)), "{refused:?}");
    let expected = "2026-01-02 cannot be published again: its checksum is of version 9, which a newer version \
                    of the suite wrote and this one does not know: use that version of the suite, or a newer one";
    assert_eq!(refused.to_string(), expected);
    assert_eq!(warehouse.published_days(days(0, 2)).await.unwrap(), before);
    assert_eq!(published(&warehouse, days(0, 2)).await, rows);
}

/// What the version before does when it publishes a correction: it counts the publish, and keeps
/// nothing of what was before.
const CORRECTED_BY_THE_VERSION_BEFORE: &str = "
    UPDATE fact_company_activity SET events = 99, loaded_at = '2026-06-05T00:00:00+00:00';
    UPDATE published_days SET published_at = '2026-06-05T00:00:00+00:00';
    UPDATE warehouse_versions SET publish = publish + 1;";

/// Such a program also publishes days that the log does not know.
pub async fn a_day_that_was_published_without_a_log_is_answered(database: impl Database) {
    let warehouse = database.open().await.unwrap();
    publish(&warehouse, 0, 10).await;
    let query = ActivityQuery { company_id: None, window: days(0, 9), after: None, as_of: None };
    let before = warehouse.fact_rows(&query, 100).await.unwrap();
    database
        .execute("DELETE FROM day_publications; UPDATE warehouse_versions SET publish = publish + 1")
        .await;
    assert_eq!(warehouse.fact_rows(&query, 100).await.unwrap(), before);
}

/// A program that keeps no history may publish in the middle of an upgrade. Earlier states are
/// not answered from then on: what they were is not known.
pub async fn a_publish_that_kept_no_history_is_noticed(database: impl Database) {
    let warehouse = database.open().await.unwrap();
    publish(&warehouse, 0, 10).await;
    let read = async |as_of: Option<&str>| {
        let as_of = as_of.map(|run_id| uuid::Uuid::parse_str(run_id).unwrap());
        let query = ActivityQuery { company_id: None, window: days(0, 9), after: None, as_of };
        warehouse.fact_rows(&query, 100).await
    };
    let first = read(None).await.unwrap().state.left_by.unwrap();
    read(Some(&first)).await.unwrap();
    database.execute(CORRECTED_BY_THE_VERSION_BEFORE).await;
    let refused = read(Some(&first)).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(_)), "{refused:?}");
    assert!(refused.to_string().contains("begins again with the next publish"), "{refused}");
    assert_eq!(read(None).await.unwrap().rows[0].events, 99);

    publish(&warehouse, 1, 11).await;
    let now = read(None).await.unwrap();
    let newest = now.state.newest().unwrap();
    assert!(newest.published_at > now.state.publications[0].published_at, "{newest:?}");
    let second = now.state.left_by.clone().unwrap();
    assert_eq!(read(Some(&second)).await.unwrap(), now);
    let refused = read(Some(&first)).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(_)), "{refused:?}");
    publish(&warehouse, 2, 12).await;
    assert_eq!(read(Some(&second)).await.unwrap(), now);
}

/// What a release that knows no totals does to a day, and to the ledger.
const PUBLISHED_WITHOUT_TOTALS: &str = r"
    UPDATE fact_company_activity SET events = 99 WHERE company_id = 'acme' AND activity_date = '2026-01-01';
    UPDATE published_days SET checksum = checksum + 1 WHERE activity_date = '2026-01-01';";

/// Totals are those of the rows that the ledger has, or there are none; what was published
/// without is summed up later.
pub async fn totals_of_other_rows_do_not_count(database: impl Database) {
    let warehouse = database.open().await.unwrap();
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme"), company("bolt", "Bolt")])];
    let usage = [(day(0), vec![("acme", 2, 5)]), (day(1), vec![("acme", 1, 1)])];
    publish_run(&warehouse, days(0, 2), at(1), &exports, &usage).await;
    let totals = async || {
        let found = warehouse.days_with_totals(days(0, 2)).await.unwrap();
        found.into_iter().map(|day| day.totals).collect::<Vec<_>>()
    };
    let of = |active_users, events, active_companies| {
        Some(DayTotals { active_users, events, churn_risks: 1, active_companies })
    };
    let published = [of(2, 5, 1), of(1, 1, 1), of(0, 0, 0)];
    assert_eq!(totals().await, published);

    database.execute(PUBLISHED_WITHOUT_TOTALS).await;
    assert_eq!(totals().await, [None, published[1], published[2]]);
    // A correction of a day without totals does not make any up.
    publish_run(&warehouse, days(3, 3), at(2), &[], &[(day(0), vec![("acme", 2, 6)])]).await;
    assert_eq!(totals().await, [None, published[1], published[2]]);
    // Rows that are not the ledger's are not summed up either.
    assert_eq!(warehouse.days_without_totals().await.unwrap(), 1);
    assert_eq!(warehouse.sum_up_days().await.unwrap(), 0);

    database.execute("DELETE FROM day_totals").await;
    assert_eq!(totals().await, [None; 3]);
    assert_eq!(warehouse.days_without_totals().await.unwrap(), 4);
    assert_eq!(warehouse.sum_up_days().await.unwrap(), 3);
    assert_eq!(totals().await, [None, published[1], published[2]]);
    assert_eq!(warehouse.sum_up_days().await.unwrap(), 0);
}
