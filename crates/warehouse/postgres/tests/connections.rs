//! Servers with few connections, behind a pooler, or with odd certificates.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and says what it skips")]

use std::{fs, path::Path, process::Command, sync::Arc, time::Duration};

use futures::future::join_all;
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection};
use test_postgres::{Cluster, Database, Pooler};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;
use warehouse_conformance::scene::{at, company, day, days, export, publish_run, published};
use warehouse_core::{ActivityQuery, SharedWarehouse};
use warehouse_postgres::PostgresWarehouse;

/// Less than the patience of a waiter: no one may have waited in vain.
const AT_ONCE: Duration = Duration::from_secs(50);

async fn open(url: &str) -> SharedWarehouse {
    Arc::new(PostgresWarehouse::open(url).await.unwrap())
}

async fn refusal(url: &str) -> String {
    timeout(AT_ONCE, PostgresWarehouse::open(url)).await.unwrap().unwrap_err().to_string()
}

/// A run over two days, alongside queries and exports.
async fn work(warehouse: &SharedWarehouse) {
    let usage = [(day(0), vec![("acme", 1, 1), ("bolt", 2, 2)]), (day(1), vec![("acme", 1, 1)])];
    let exports = [(export(day(0), "1"), vec![company("acme", "Acme")])];
    let working = async {
        publish_run(warehouse, days(0, 1), at(1), &exports, &usage).await;
        let questions = join_all((0..20).map(|_| warehouse.freshness()));
        let exports = join_all((0..10).map(|_| published(warehouse, days(0, 1))));
        let (questions, exports) = futures::join!(questions, exports);
        assert!(questions.into_iter().all(|answer| answer.unwrap().is_some()));
        assert!(exports.into_iter().all(|rows| rows.len() == 4));
    };
    timeout(AT_ONCE, working).await.unwrap();
}

/// A database whose role has this many connections.
struct Limited {
    database: Database,
    role: String,
}

impl Limited {
    async fn to(connections: u32) -> Self {
        let database = Database::create().await.unwrap();
        let role = format!("limited_{}", Uuid::now_v7().simple());
        let name = Url::parse(&database.url()).unwrap().path().trim_start_matches('/').to_owned();
        let mut owner = connect(&database.url()).await;
        for statement in [
            format!("CREATE ROLE {role} LOGIN CREATEROLE CONNECTION LIMIT {connections}"),
            format!("ALTER DATABASE {name} OWNER TO {role}"),
            format!("ALTER SCHEMA public OWNER TO {role}"),
        ] {
            owner.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        owner.close().await.unwrap();
        Self { database, role }
    }

    fn url(&self) -> String {
        let mut url = Url::parse(&self.database.url()).unwrap();
        url.set_username(&self.role).unwrap();
        url.into()
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

#[tokio::test]
async fn a_role_with_three_connections_gets_its_work_done() {
    let limited = Limited::to(3).await;
    let warehouse = open(&limited.url()).await;
    assert_eq!(warehouse.connections().max, 3);
    work(&warehouse).await;
}

#[tokio::test]
async fn a_role_with_two_connections_gets_its_work_done() {
    let limited = Limited::to(2).await;
    work(&open(&limited.url()).await).await;
}

#[tokio::test]
async fn a_role_with_one_connection_learns_that_two_are_needed() {
    let limited = Limited::to(1).await;
    let problem = refusal(&limited.url()).await;
    assert!(problem.contains("too many connections"), "{problem}");
    assert!(problem.contains("ALTER ROLE ... CONNECTION LIMIT"), "{problem}");
}

#[tokio::test]
async fn connections_that_others_took_away_are_done_without() {
    let limited = Limited::to(6).await;
    let warehouse = open(&limited.url()).await;
    let url = limited.url();
    let _others = join_all((0..4).map(|_| connect(&url))).await;
    work(&warehouse).await;
}

#[tokio::test]
async fn an_export_that_is_held_leaves_connections_to_a_load_and_to_questions() {
    let limited = Limited::to(3).await;
    let warehouse = open(&limited.url()).await;
    publish_run(&warehouse, days(0, 0), at(1), &[], &[(day(0), vec![("acme", 1, 1)])]).await;
    let query = ActivityQuery { company_id: None, window: days(0, 0), after: None, as_of: None };
    let held = warehouse.export_facts(&query).await.unwrap();
    let second = vec![("acme", 1, 1), ("bolt", 1, 1)];
    timeout(AT_ONCE, publish_run(&warehouse, days(1, 1), at(2), &[], &[(day(1), second)])).await.unwrap();
    drop(held);
    assert_eq!(published(&warehouse, days(0, 1)).await.len(), 3);
}

#[tokio::test]
async fn pgbouncer_in_session_mode_will_do_as_it_comes() {
    if Pooler::program().is_none() {
        eprintln!("SKIPPED: there is no pgbouncer: run tests/setup/pgbouncer.sh");
        return;
    }
    let database = Database::create().await.unwrap();
    let pooler = Pooler::start(&database.url(), "session").unwrap();
    work(&open(&pooler.url_of(&database.url()).unwrap()).await).await;
}

#[tokio::test]
async fn pgbouncer_in_transaction_mode_is_refused() {
    if Pooler::program().is_none() {
        eprintln!("SKIPPED: there is no pgbouncer: run tests/setup/pgbouncer.sh");
        return;
    }
    let database = Database::create().await.unwrap();
    let pooler = Pooler::start(&database.url(), "transaction").unwrap();
    let problem = refusal(&pooler.url_of(&database.url()).unwrap()).await;
    assert!(problem.contains("pool_mode = session"), "{problem}");
}

/// A certificate without extensions, and so of version 1, and its key.
fn certificate_of_version_1() -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).current_dir(folder.path()).output();
        let Ok(made) = made else { panic!("openssl makes the certificate: install it") };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-keyout",
        "key",
        "-out",
        "request",
    ]);
    openssl(&["x509", "-req", "-in", "request", "-signkey", "key", "-days", "2", "-out", "certificate"]);
    let read = |name: &str| fs::read_to_string(Path::new(folder.path()).join(name)).unwrap();
    (read("certificate"), read("key"))
}

fn with(url: &str, parameter: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameter}")
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_matters_only_to_those_who_insist_on_tls() {
    let (certificate, key) = certificate_of_version_1();
    let cluster = Cluster::with_tls(&certificate, &key).unwrap();
    // The harness connects with sqlx, which rejects such a certificate.
    let without_tls: Url = with(cluster.url().as_str(), "sslmode=disable").parse().unwrap();
    for parameter in ["max_connections=4", "sslmode=prefer", "sslmode=allow", "sslmode=disable"] {
        let database = Database::create_on(without_tls.clone()).await.unwrap();
        let mut url = Url::parse(&database.url()).unwrap();
        url.set_query(Some(parameter));
        work(&open(url.as_str()).await).await;
    }
    let problem = refusal(&with(cluster.url().as_str(), "sslmode=require")).await;
    assert!(problem.contains("certificate of version 3"), "{problem}");
    assert!(problem.contains("sslmode=disable"), "{problem}");
}

/// Waits until a standby has received a database.
async fn arrival_on(url: &str) {
    while PgConnection::connect(url).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn servers_are_tried_in_their_order_until_one_takes_writes() {
    let primary = Cluster::start("-c fsync=off").unwrap();
    let standby = primary.standby().unwrap();
    let socket = |cluster: &Cluster| {
        let url = cluster.url();
        let found = url.query_pairs().find(|(name, _)| name == "host").unwrap();
        found.1.into_owned()
    };
    let database = Database::create_on(primary.url()).await.unwrap();
    let name = Url::parse(&database.url()).unwrap().path().trim_start_matches('/').to_owned();
    let hosts = format!("/no/such/folder,{},{}", socket(&standby), socket(&primary));
    let only_the_standby = format!("postgres://postgres@localhost/{name}?host={}", socket(&standby));
    timeout(AT_ONCE, arrival_on(&only_the_standby)).await.unwrap();
    for url in [
        format!("postgres://postgres@/{name}?host={hosts}&target_session_attrs=read-write"),
        format!("host={hosts} user=postgres dbname={name} target_session_attrs=primary"),
        format!("postgresql://postgres@{}/{name}?target_session_attrs=read-write", hosts.replace('/', "%2F")),
    ] {
        assert!(open(&url).await.freshness().await.unwrap().is_none(), "{url}");
    }
    let problem = refusal(&with(&only_the_standby, "target_session_attrs=read-write")).await;
    assert!(problem.contains("target_session_attrs"), "{problem}");
    let problem = refusal(&only_the_standby).await;
    assert!(problem.contains("it is read-only: a standby"), "{problem}");
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be() {
    let problem = refusal("postgres://u:hunter2@127.0.0.1:1/x").await;
    assert_eq!(problem, "the warehouse is unavailable: nothing listens at its address");
    let problem = refusal("postgres://u:hunter2@127.0.0.1:1,127.0.0.1:2/x").await;
    assert!(problem.contains("127.0.0.1:1: ") && problem.contains("127.0.0.1:2: "), "{problem}");
    assert!(!problem.contains("hunter2"), "{problem}");
}
