//! Reads whose caller has gone: the server stops them, and the pool is not used up.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use domain::FailureKind;
use futures::future::join_all;
use sqlx::{Connection as _, Executor, PgConnection};
use test_postgres::{Database, Pooler};
use tokio::time::timeout;
use warehouse_conformance::scene::{at, day, days, publish_run, published};
use warehouse_core::{ActivityQuery, SharedWarehouse};
use warehouse_postgres::PostgresWarehouse;

/// A deadline for what must not hang: less than any limit of statements and locks.
const IN_TIME: Duration = Duration::from_secs(20);

/// How long a caller waits for an answer before it goes.
const CALLER: Duration = Duration::from_millis(30);

const CONNECTIONS: u32 = 3;

struct Scene {
    database: Database,
    warehouse: SharedWarehouse,
}

impl Scene {
    /// A published day, in a warehouse with few connections.
    async fn with(settings: &str) -> Self {
        let database = Database::create().await.unwrap();
        let url = database.url();
        Self::through(&url, database, settings).await
    }

    /// The same by another URL of the database.
    async fn through(url: &str, database: Database, settings: &str) -> Self {
        let owner: SharedWarehouse = Arc::new(PostgresWarehouse::open(&database.url()).await.unwrap());
        publish_run(&owner, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
        let mut url: url::Url = url.parse().unwrap();
        url.query_pairs_mut()
            .append_pair("max_connections", &CONNECTIONS.to_string())
            .append_pair("options", settings);
        let warehouse: SharedWarehouse = Arc::new(PostgresWarehouse::open(url.as_str()).await.unwrap());
        Self { database, warehouse }
    }

    /// Somebody who keeps every reader of published data waiting.
    async fn blocker(&self) -> PgConnection {
        let mut blocker = PgConnection::connect(&self.database.url()).await.unwrap();
        blocker.execute("BEGIN; LOCK TABLE published_days, fact_company_activity").await.unwrap();
        blocker
    }

    /// Waits until that many statements of other connections run here.
    async fn running(&self, wanted: i64) {
        let mut observer = PgConnection::connect(&self.database.url()).await.unwrap();
        let counted = async {
            while sqlx::query_scalar::<_, i64>(
                "SELECT COUNT(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
                   AND backend_type = 'client backend'",
            )
            .fetch_one(&mut observer)
            .await
            .unwrap()
                != wanted
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(IN_TIME, counted).await.unwrap();
    }

    /// A read that nobody blocks.
    async fn serves_others(&self) {
        timeout(IN_TIME, self.warehouse.usage_days(days(0, 0))).await.unwrap().unwrap();
    }

    fn everything() -> ActivityQuery {
        ActivityQuery { company_id: None, window: days(0, 0), after: None, as_of: None }
    }
}

#[tokio::test]
async fn a_hundred_reads_whose_callers_went_are_stopped_and_use_up_no_connections() {
    let scene = Scene::with("").await;
    let mut blocker = scene.blocker().await;
    let query = Scene::everything();
    let calls = (0..100).map(|number| {
        let (warehouse, query) = (&scene.warehouse, &query);
        timeout(CALLER, async move {
            match number % 3 {
                0 => drop(warehouse.freshness().await),
                1 => drop(warehouse.fact_rows(query, 10).await),
                _ => drop(warehouse.export_facts(query).await),
            }
        })
    });
    let outcomes = join_all(calls).await;
    assert!(outcomes.iter().all(Result::is_err), "each was blocked until its caller went");
    scene.running(0).await;
    scene.serves_others().await;
    blocker.execute("ROLLBACK").await.unwrap();
    let rows = timeout(IN_TIME, published(&scene.warehouse, days(0, 0))).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn callers_that_went_one_after_another_leave_room_for_the_next() {
    let scene = Scene::with("").await;
    leave_room(&scene).await;
}

#[tokio::test]
async fn callers_that_went_leave_room_through_pgbouncer_too() {
    if Pooler::program().is_none() {
        eprintln!("SKIPPED: there is no pgbouncer: run tests/setup/pgbouncer.sh");
        return;
    }
    let database = Database::create().await.unwrap();
    let pooler = Pooler::start(&database.url(), "session").unwrap();
    let url = pooler.url_of(&database.url()).unwrap();
    leave_room(&Scene::through(&url, database, "").await).await;
}

async fn leave_room(scene: &Scene) {
    let _blocker = scene.blocker().await;
    for _ in 0..4 * CONNECTIONS {
        timeout(CALLER, scene.warehouse.freshness()).await.unwrap_err();
        scene.serves_others().await;
    }
    scene.running(0).await;
}

#[tokio::test]
async fn an_export_whose_reader_went_while_its_statement_ran_is_stopped() {
    let scene = Scene::with("").await;
    let mut blocker = scene.blocker().await;
    let warehouse = Arc::clone(&scene.warehouse);
    let export = tokio::spawn(async move { warehouse.export_facts(&Scene::everything()).await.map(drop) });
    scene.running(1).await;
    export.abort();
    scene.running(0).await;
    blocker.execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_lock_too_long_learns_so() {
    let scene = Scene::with("-c lock_timeout=500ms").await;
    let _blocker = scene.blocker().await;
    for answer in [
        timeout(IN_TIME, scene.warehouse.freshness()).await.unwrap().map(drop),
        timeout(IN_TIME, scene.warehouse.fact_rows(&Scene::everything(), 1)).await.unwrap().map(drop),
    ] {
        let refused = answer.unwrap_err();
        assert_eq!(refused.kind(), FailureKind::Unavailable);
        assert!(refused.to_string().contains("a lock did not become free in time"), "{refused}");
    }
    scene.serves_others().await;
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended_by_the_server() {
    let scene = Scene::with("-c statement_timeout=2s").await;
    let _blocker = scene.blocker().await;
    let refused = timeout(IN_TIME, scene.warehouse.freshness()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), FailureKind::Unavailable);
    assert!(refused.to_string().contains("statement_timeout"), "{refused}");
    scene.serves_others().await;
}
