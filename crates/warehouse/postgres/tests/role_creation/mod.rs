//! How roles come about: after the schema, and by the documented statements.

use std::{borrow::Cow, sync::Arc};

use sqlx::{AssertSqlSafe, Executor, migrate::Migrator};
use test_postgres::Cluster;
use warehouse_conformance::scene::{at, day, days, publish_run, published};
use warehouse_core::SharedWarehouse;
use warehouse_postgres::PostgresWarehouse;

use crate::{connect, refusal};

/// The migrations of the version before there were roles.
async fn migrate_as_before_roles(url: &str) {
    let all = sqlx::migrate!();
    let earlier: Vec<_> = all.migrations.iter().filter(|one| one.version < 13).cloned().collect();
    let before = Migrator { migrations: Cow::Owned(earlier), ..Migrator::DEFAULT };
    before.run(&mut connect(url).await).await.unwrap();
}

/// On a server of its own, for roles belong to the server.
#[tokio::test]
async fn roles_may_be_created_after_the_schema_by_whoever_may() {
    let cluster = Cluster::start("-c fsync=off").unwrap();
    let mut administrator = connect(cluster.url().as_str()).await;
    administrator.execute("CREATE ROLE somebody LOGIN; CREATE ROLE service LOGIN").await.unwrap();
    administrator.execute("CREATE DATABASE activity OWNER somebody").await.unwrap();
    let url_of = |role: &str| {
        let mut url = cluster.url();
        url.set_path("activity");
        url.set_username(role).unwrap();
        url.to_string()
    };
    // The owner may create no role, and the schema is none the worse for it.
    migrate_as_before_roles(&url_of("somebody")).await;
    let report = PostgresWarehouse::migrate(&url_of("somebody")).await.unwrap();
    assert!(report.applied.contains(&"0013_roles".to_owned()), "{report:?}");
    let owner: SharedWarehouse = Arc::new(PostgresWarehouse::open(&url_of("somebody")).await.unwrap());
    publish_run(&owner, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;

    administrator.execute("CREATE ROLE activity_writer; GRANT activity_writer TO service").await.unwrap();
    let again = PostgresWarehouse::migrate(&url_of("somebody")).await.unwrap();
    assert!(again.applied.is_empty(), "{again:?}");
    let service: SharedWarehouse = Arc::new(PostgresWarehouse::open(&url_of("service")).await.unwrap());
    publish_run(&service, days(0, 40), at(2), &[], &[(day(40), vec![("acme", 1, 1)])]).await;
    assert_eq!(published(&service, days(0, 40)).await.len(), 15);
}

/// The statements of the installation in docs/operations.md.
fn documented_statements() -> Vec<String> {
    let operations = include_str!("../../../../../docs/operations.md");
    let (_, after) = operations.split_once("An administrator creates them:").unwrap();
    let (_, block) = after.split_once("```sql").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[tokio::test]
async fn the_documented_statements_create_roles_that_work() {
    let cluster = Cluster::start("-c fsync=off").unwrap();
    let url_of = |role: &str| {
        let mut url = cluster.url();
        url.set_path("activity");
        url.set_username(role).unwrap();
        url.to_string()
    };
    let mut administrator = connect(cluster.url().as_str()).await;
    for statement in documented_statements() {
        match statement.strip_prefix("\\connect ") {
            Some(_) => administrator = connect(&url_of("postgres")).await,
            None => drop(administrator.execute(AssertSqlSafe(statement)).await.unwrap()),
        }
    }
    PostgresWarehouse::migrate(&url_of("activity_owner")).await.unwrap();
    let service: SharedWarehouse =
        Arc::new(PostgresWarehouse::open(&url_of("activity_service")).await.unwrap());
    publish_run(&service, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    for role in ["activity_query", "dashboard"] {
        let reader: SharedWarehouse = Arc::new(PostgresWarehouse::open_to_read(&url_of(role)).await.unwrap());
        assert_eq!(published(&reader, days(0, 0)).await.len(), 1);
        let refused =
            refusal(&mut connect(&url_of(role)).await, "CREATE TEMPORARY TABLE mine (id INTEGER)").await;
        assert!(refused.contains("permission denied"), "{refused}");
    }
}
