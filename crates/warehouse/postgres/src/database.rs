//! Connecting to the database, and transactions on it.

use std::{borrow::Cow, str::FromStr, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, Postgres, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use url::Url;
use warehouse_core::{Error, Result};

use crate::{PostgresWarehouse, migration};

/// Connections for everything but exports, unless the URL says otherwise.
const CONNECTIONS: u32 = 10;

/// The URL's parameter that says otherwise.
const CONNECTIONS_PARAMETER: &str = "max_connections";

/// Exports at a time. They last as long as their readers like, so they have
/// connections of their own.
const EXPORTS: u32 = 8;

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a URL says.
pub(crate) struct Location {
    /// Holds the password: never to be printed.
    pub(crate) connect: PgConnectOptions,
    connections: u32,
}

pub(crate) fn parse(url: &str) -> Result<Location> {
    // What the parsers complain of may contain the password, so they are not quoted.
    let invalid = || {
        Error::Precondition(
            "the warehouse URL is no Postgres URL: use postgres://user:password@host:5432/database"
                .to_owned(),
        )
    };
    let mut url = Url::parse(url).map_err(|_| invalid())?;
    let mut connections = CONNECTIONS;
    let mut parameters = Vec::new();
    for (name, value) in url.query_pairs() {
        if name == CONNECTIONS_PARAMETER {
            connections = value.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
                Error::Precondition(format!(
                    "{CONNECTIONS_PARAMETER} in the warehouse URL is not a number from 1: {value:?}"
                ))
            })?;
        } else {
            parameters.push((name.into_owned(), value.into_owned()));
        }
    }
    url.set_query(None);
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    let connect = PgConnectOptions::from_str(url.as_str()).map_err(|_| invalid())?;
    let connect = connect
        .application_name("company-activity")
        // Told for traces, and to those who debug.
        .log_statements(LevelFilter::Debug)
        // Bulk statements take their time; a warning with their whole text says nothing.
        .log_slow_statements(LevelFilter::Debug, Duration::MAX);
    Ok(Location { connect, connections })
}

pub(crate) async fn open(url: &str) -> Result<PostgresWarehouse> {
    let Location { connect, connections } = parse(url)?;
    migration::migrate(&connect).await?;
    let exports = pool(EXPORTS).connect_lazy_with(connect.clone());
    let pool = pool(connections).connect_with(connect).await.map_err(failed)?;
    Ok(PostgresWarehouse { pool, exports })
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
        // A cancelled `begin` leaves its transaction open on the pooled
        // connection; whoever borrowed it next would run inside
        // (github.com/transact-rs/sqlx/issues/4393).
        .after_release(|connection, _| {
            Box::pin(async move {
                // Where no transaction is open, which is the usual case, this is no
                // error. A connection on which it fails is not used again.
                Ok(connection.execute("ROLLBACK").await.is_ok())
            })
        })
}

/// How statements run on every connection.
async fn prepare(connection: &mut PgConnection) -> sqlx::Result<()> {
    // Plans are made for the days at hand, so that partitions of other days are
    // not even looked at; compiling each of them would take longer than most run.
    // Notices of what exists already are no news.
    connection
        .execute(
            "SET plan_cache_mode = 'force_custom_plan'; SET jit = off; SET client_min_messages = 'error'",
        )
        .await
        .map(|_| ())
}

impl PostgresWarehouse {
    /// A transaction that may write. Each statement sees what was committed
    /// before it, so what is read after a lock is the truth while it is held.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(BEGIN_WRITE).await.map_err(failed)
    }

    /// A connection for one load, closed behind it. A COPY that is cancelled, at
    /// whatever moment, leaves a connection on which questions and answers no
    /// longer match, and nothing can tell.
    pub(crate) async fn connect_load(&self) -> Result<PoolConnection<Postgres>> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        connection.close_on_drop();
        Ok(connection)
    }

    /// A transaction that sees one committed state.
    pub(crate) async fn begin_read(&self) -> Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(BEGIN_READ).await.map_err(failed)
    }

    /// The same for what is published. Dropping a partition is not undone for
    /// whoever sees an older state, so nothing may be dropped from its first look on.
    pub(crate) async fn begin_read_fact(&self) -> Result<Transaction<'static, Postgres>> {
        self.pool.begin_with(BEGIN_READ_FACT).await.map_err(failed)
    }

    /// The same for as long as somebody reads an export.
    pub(crate) async fn begin_export(&self) -> Result<Transaction<'static, Postgres>> {
        self.exports.begin_with(BEGIN_READ_FACT).await.map_err(failed)
    }
}

/// A client whose host went away in the middle loses its locks after a while.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2min'";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const BEGIN_READ_FACT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
                               LOCK TABLE ONLY fact_company_activity IN ACCESS SHARE MODE";

/// A transaction like [`PostgresWarehouse::begin_write`]'s on a connection of one's own.
pub(crate) async fn begin_write(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    connection.begin_with(BEGIN_WRITE).await.map_err(failed)
}

/// Counts a change to staged data, so that candidates built before it are stale,
/// and keeps publishes out until the caller's transaction ends.
pub(crate) async fn bump_staging_version(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// What sqlx says, in the words of the contract.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    let is_transient = match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| is_transient(&code)),
        _ => false,
    };
    if is_transient { Error::Unavailable(Box::new(error)) } else { Error::Internal(Box::new(error)) }
}

/// Whether the same transaction may succeed later, by the SQLSTATE of its failure.
fn is_transient(code: &str) -> bool {
    // The classes connection exception, transaction rollback (deadlock),
    // insufficient resources and operator intervention (shutdown, cancelled).
    ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
        // lock_not_available, idle_in_transaction_session_timeout
        || matches!(code, "55P03" | "25P03")
}

/// A count as Postgres stores it.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A position in what was asked for, as Postgres returned it.
pub(crate) fn position(ordinal: i64) -> usize {
    usize::try_from(ordinal).unwrap_or(usize::MAX)
}

/// A count as Postgres returned it.
pub(crate) fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Text as Postgres can store it: NUL, which it cannot, becomes the replacement character.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[test]
    fn the_url_bounds_the_connections() {
        assert_eq!(parse("postgres://me@db/activity").unwrap().connections, CONNECTIONS);
        let location = parse("postgres://me@db/activity?max_connections=3&application_name=x").unwrap();
        assert_eq!(location.connections, 3);
        assert_eq!(location.connect.get_database(), Some("activity"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_quoted() {
        for url in ["postgres://u:secret@db:port/x", "postgres://u:secret@db/x?max_connections=0"] {
            let problem = parse(url).err().map(|error| error.to_string()).unwrap();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn what_may_pass_by_itself_is_transient() {
        for code in ["08006", "40001", "40P01", "53300", "57P01", "57P03", "55P03", "25P03"] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["23505", "28P01", "42601", "22003"] {
            assert!(!is_transient(code), "{code}");
        }
    }

    #[test]
    fn text_with_a_nul_is_stored_without() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        assert!(matches!(storable("ab"), Cow::Borrowed("ab")));
    }

    async fn one_connection(database: &test_postgres::Database) -> sqlx::PgPool {
        pool(1).connect_with(parse(&database.url()).unwrap().connect).await.unwrap()
    }

    async fn backend(pool: &sqlx::PgPool) -> i32 {
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(pool).await.unwrap()
    }

    #[tokio::test]
    async fn plans_are_made_for_the_values_at_hand() {
        let database = test_postgres::Database::create().await.unwrap();
        let pool = one_connection(&database).await;
        let mode: String = sqlx::query_scalar("SHOW plan_cache_mode").fetch_one(&pool).await.unwrap();
        assert_eq!(mode, "force_custom_plan");
    }

    #[tokio::test]
    async fn a_connection_is_used_again() {
        let database = test_postgres::Database::create().await.unwrap();
        let pool = one_connection(&database).await;
        let first = backend(&pool).await;
        pool.begin().await.unwrap().commit().await.unwrap();
        drop(pool.begin().await.unwrap());
        assert_eq!(backend(&pool).await, first);
    }

    #[tokio::test]
    async fn a_transaction_that_was_cancelled_while_it_began_is_not_inherited() {
        let database = test_postgres::Database::create().await.unwrap();
        let pool = one_connection(&database).await;
        for polls in 1.. {
            let mut beginning = Box::pin(pool.begin());
            let mut left = polls;
            let begun = std::future::poll_fn(|context| {
                left -= 1;
                match beginning.as_mut().poll(context) {
                    Poll::Pending if left > 0 => Poll::Pending,
                    state => Poll::Ready(state.is_ready()),
                }
            })
            .await;
            drop(beginning);
            let transaction = async || -> i64 {
                sqlx::query_scalar("SELECT txid_current()").fetch_one(&pool).await.unwrap()
            };
            assert_ne!(transaction().await, transaction().await, "after {polls} polls");
            if begun {
                break;
            }
        }
    }
}
