//! Connects as libpq does: server by server, with TLS as far as requested.

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
};

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions, postgres::PgSslMode,
};
use tracing::{info, warn};
use warehouse_core::{Error, Fault, Result};

use crate::{
    fault::{self, failed, sqlstate},
    location::{Location, Server, Wanted},
    tls_problem::{tls_reason, unreadable},
};

/// How statements run on every connection.
///
/// Plans are made for the actual days, so that the partitions of other days are pruned;
/// compiling each plan would take longer than most statements run. Notices about
/// existing objects are useless.
const SETTINGS: &str = "SET client_min_messages = 'error'; SET plan_cache_mode = 'force_custom_plan'; \
                        SET jit = off; SET extra_float_digits = 2";

impl Location {
    /// Connects to the first suitable server, and returns the options for more
    /// connections.
    pub(crate) async fn connect(&self) -> Result<(PgConnectOptions, PgConnection)> {
        let mut problems = Vec::new();
        for server in &self.servers {
            match self.connect_to(server).await {
                Ok(found) => return Ok(found),
                Err(problem) => problems.push((server.name.as_str(), problem)),
            }
        }
        // With a single server, its own error says most.
        if problems.len() > 1 {
            for (server, problem) in &problems {
                let cause = problem.said();
                warn!(server, error = %problem, cause, "this server of the warehouse URL will not do");
            }
            let reported: Vec<String> =
                problems.iter().map(|(server, problem)| format!("{server}: {}", brief(problem))).collect();
            let reported = format!("none of its servers will do: {}", reported.join("; "));
            return Err(Error::Unavailable(Fault::plain(reported)));
        }
        let nothing = || Error::Precondition("the warehouse URL names no server".to_owned());
        Err(problems.pop().map_or_else(nothing, |(_, problem)| problem))
    }

    async fn connect_to(&self, server: &Server) -> Result<(PgConnectOptions, PgConnection)> {
        let mut first_problem = None;
        for way in &server.ways {
            match self.connect_in(way).await {
                Ok(mut connection) => {
                    if let Some(problem) = &first_problem {
                        warn_of_plain_text(&server.name, way, problem);
                    }
                    self.check_role(&server.name, &mut connection).await?;
                    return Ok((way.clone(), connection));
                }
                Err(Attempt::OtherWay(problem)) => {
                    first_problem.get_or_insert(problem);
                }
                Err(Attempt::InVain(problem)) => {
                    return Err(first_problem.map_or_else(|| failed(problem), unreadable));
                }
                Err(Attempt::TooLong) => {
                    let reported =
                        format!("{} did not let us in within {:?}", server.name, self.connect_timeout);
                    return Err(Error::Unavailable(Fault::plain(reported)));
                }
            }
        }
        let nothing = || Error::Precondition("the warehouse URL names no way to connect".to_owned());
        Err(first_problem.map_or_else(nothing, unreadable))
    }

    async fn connect_in(&self, way: &PgConnectOptions) -> std::result::Result<PgConnection, Attempt> {
        let connecting = async {
            let mut connection = way.connect().await?;
            self.prepare(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(problem)) if is_about_tls(way, &problem) => Err(Attempt::OtherWay(problem)),
            Ok(Err(problem)) => Err(Attempt::InVain(problem)),
            Err(_elapsed) => Err(Attempt::TooLong),
        }
    }

    /// Sets how statements run. By statement rather than at connection start: a pooler
    /// refuses unknown parameters there.
    pub(crate) async fn prepare(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        connection.execute(SETTINGS).await?;
        for (name, value) in &self.settings {
            sqlx::query("SELECT set_config($1, $2, false)")
                .bind(name)
                .bind(value)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// Checks that the server has the role that the URL requests.
    async fn check_role(&self, server: &str, connection: &mut PgConnection) -> fault::Result<()> {
        let question = match self.wanted {
            Wanted::Any => return Ok(()),
            Wanted::Primary => "SELECT pg_is_in_recovery()",
            Wanted::Standby => "SELECT NOT pg_is_in_recovery()",
            Wanted::ReadWrite => {
                "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::BOOLEAN"
            }
            Wanted::ReadOnly => {
                "SELECT NOT (pg_is_in_recovery() OR current_setting('transaction_read_only')::BOOLEAN)"
            }
        };
        let will_not_do: bool = sqlx::query_scalar(question).fetch_one(connection).await?;
        if will_not_do {
            let reported =
                format!("{server} is a standby or read-only, and target_session_attrs asks for another");
            return Err(Error::Unavailable(Fault::plain(reported)).into());
        }
        Ok(())
    }
}

/// Why one way to connect failed.
enum Attempt {
    /// Another way may succeed.
    OtherWay(sqlx::Error),
    InVain(sqlx::Error),
    TooLong,
}

/// Whether the failure concerns TLS, or its absence.
fn is_about_tls(way: &PgConnectOptions, problem: &sqlx::Error) -> bool {
    match way.get_ssl_mode() {
        // Refused by pg_hba.conf, which distinguishes connections with and without TLS.
        PgSslMode::Disable => sqlstate(problem).as_deref() == Some("28000"),
        _ => match problem {
            sqlx::Error::Tls(_) => true,
            // A rustls error about a certificate or a handshake.
            sqlx::Error::Io(cause) => cause.kind() == ErrorKind::InvalidData,
            _ => false,
        },
    }
}

/// Logged once per process, because it connects again and again.
fn warn_of_plain_text(server: &str, way: &PgConnectOptions, problem: &sqlx::Error) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if matches!(way.get_ssl_mode(), PgSslMode::Disable) && !SAID.swap(true, Ordering::Relaxed) {
        warn!(
            server,
            error = tls_reason(problem),
            "the server's TLS cannot be used, and sslmode does not insist on it: going on WITHOUT encryption, as \
             libpq does; mend the server's certificate, or say sslmode=disable to silence this warning"
        );
    }
}

/// An error without the prefix of all warehouse errors.
fn brief(problem: &Error) -> String {
    match problem {
        Error::Unavailable(fault) | Error::Internal(fault) => fault.reported().to_owned(),
        other => other.to_string(),
    }
}

/// Refuses a pooler that assigns server connections per transaction: loads keep tables,
/// and migrations a lock, on theirs for longer. Two connections open at the same time
/// then turn out to share one.
pub(crate) async fn refuse_transaction_pooling(
    first: &mut PgConnection,
    second: &mut PgConnection,
) -> Result<()> {
    let first: i32 = backend(first).await?;
    if first == backend(second).await? {
        return Err(Error::Precondition(
            "the warehouse URL leads through a connection pooler in transaction mode, which hands one connection of \
             the server to several clients: set pool_mode = session, or connect to Postgres itself"
                .to_owned(),
        ));
    }
    Ok(())
}

async fn backend(connection: &mut PgConnection) -> fault::Result<i32> {
    // In the simple protocol, which leaves no prepared statement for the other connection to trip
    // over.
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    Ok(sqlx::Row::try_get(&row, 0)?)
}

/// How many connections the role and the database allow, if limited.
pub(crate) async fn allowed_connections(connection: &mut PgConnection) -> fault::Result<Option<u32>> {
    let allowed: Option<i32> = sqlx::query_scalar(
        "SELECT LEAST(NULLIF((SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user AND NOT rolsuper), -1), \
                      NULLIF((SELECT datconnlimit FROM pg_database WHERE datname = current_database()), -1))",
    )
    .fetch_one(connection)
    .await?;
    Ok(allowed.and_then(|allowed| u32::try_from(allowed).ok()))
}

/// Closes the connection cleanly, so that the database can be copied or dropped at once.
pub(crate) async fn close(connection: PgConnection) {
    if let Err(problem) = connection.close().await {
        info!(error = %problem, "a connection did not end well");
    }
}
