//! Maps errors of Postgres and sqlx to those of the contract.

use std::{borrow::Cow, io::ErrorKind};

use sqlx::postgres::PgDatabaseError;
use warehouse_core::{Error, Fault, engine::corrupt};

/// Why something failed: an error of sqlx or of a rule, as the contract's error. `?`
/// converts either into it, and it into the contract's error in trait methods.
#[derive(Debug)]
pub(crate) struct Failure(Error);

/// The result of an operation inside the engine.
pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(failed(error))
    }
}

/// Maps an sqlx error to the contract's error.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    if matches!(error, sqlx::Error::ColumnDecode { .. }) {
        return corrupt(error);
    }
    let is_transient = match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => true,
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| is_transient(&code)),
        _ => false,
    };
    let reported = reported(&error).unwrap_or_else(|| "it reported an error".to_owned());
    let fault = match said(&error) {
        Some(said) => Fault::of(reported, said, error),
        None => Fault::new(reported, error),
    };
    if is_transient { Error::Unavailable(fault) } else { Error::Internal(fault) }
}

/// The SQLSTATE of a server error, if it is one.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

/// The server's whole message, without the line of its source, which sqlx shows.
fn said(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?;
    let mut text = format!("{} (SQLSTATE {})", error.message(), error.code());
    for (name, part) in [("DETAIL", error.detail()), ("HINT", error.hint()), ("CONTEXT", error.r#where())] {
        if let Some(part) = part {
            text = format!("{text}; {name}: {part}");
        }
    }
    Some(text)
}

/// Whether the same transaction may succeed later, by its SQLSTATE.
fn is_transient(code: &str) -> bool {
    // The classes connection exception, transaction rollback (deadlock),
    // insufficient resources and operator intervention (shutdown, cancelled).
    ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
        // lock_not_available, idle_in_transaction_session_timeout
        || matches!(code, "55P03" | "25P03")
        // read_only_sql_transaction: the primary has become a standby
        || code == "25006"
}

/// The part of an error that anyone may see: no stored data, no statement.
fn reported(error: &sqlx::Error) -> Option<String> {
    Some(match error {
        sqlx::Error::PoolTimedOut => "no connection became free in time".to_owned(),
        sqlx::Error::PoolClosed => "it is being closed".to_owned(),
        sqlx::Error::Io(cause) if cause.to_string().starts_with("failed to lookup address") => {
            "its host name is not known".to_owned()
        }
        sqlx::Error::Io(cause) => lost(cause.kind()).to_owned(),
        sqlx::Error::Protocol(_) => "what answers at its address does not speak as Postgres does".to_owned(),
        sqlx::Error::Tls(_) => {
            "TLS failed with it; sslmode in the warehouse URL says whether it is wanted".to_owned()
        }
        sqlx::Error::Database(cause) => {
            let code = cause.code()?;
            let words = in_words(&code)?;
            // A name from the schema, not a value.
            let rule = cause
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::constraint)
                .map(|name| format!(" {name}"))
                .unwrap_or_default();
            format!("{words}{rule} (SQLSTATE {code})")
        }
        _ => return None,
    })
}

fn lost(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => "nothing listens at its address",
        ErrorKind::NotFound => "its socket does not exist",
        ErrorKind::PermissionDenied => "its socket may not be opened",
        ErrorKind::TimedOut => "it did not answer in time",
        _ => "the connection to it was lost or could not be made",
    }
}

/// What is wrong with a server that takes no writes.
pub(crate) const READ_ONLY: &str =
    "it is read-only: a standby, or in the middle of a failover; the URL has to name the primary";

/// A SQLSTATE, or its class, in words.
fn in_words(code: &str) -> Option<&'static str> {
    Some(match code {
        "53300" => {
            "too many connections: raise the limit of the role, the database or the server, or close others"
        }
        "53100" => "its disk is full",
        "53200" => "it is out of memory",
        "57014" => "a statement was cancelled, or took longer than its statement_timeout",
        "25006" => READ_ONLY,
        "0A000" => "it does not support what was asked of it; a standby, for one, takes no writes",
        "42501" => "permission denied: its role lacks a right",
        "42704" => "it does not know a name that was used, such as that of a setting in the URL's options",
        "3D000" => "there is no such database",
        "42P01" | "42703" | "42883" => {
            "a table, column or function is missing: bring the schema up to date with `activityctl migrate`"
        }
        "26000" | "42P05" => {
            "a prepared statement went astray: a pooler between needs session mode, transaction mode will not do"
        }
        "55P03" => "a lock did not become free in time",
        "25P03" => "a transaction was idle for too long",
        "XX001" | "XX002" => "it found damaged data",
        _ => match code.get(..2)? {
            "08" => "the connection to it was lost",
            "22" => "a value does not fit where it should go",
            "23" => "a rule of the schema was broken:",
            "28" => "it refuses the user or the password",
            "40" => "two transactions got in each other's way",
            "53" => "it has run out of something",
            "57" => "it is starting, stopping, or was asked to end the connection",
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_by_itself_is_transient() {
        for code in ["08006", "40001", "40P01", "53300", "57P01", "57P03", "55P03", "25P03", "25006"] {
            assert!(is_transient(code), "{code}");
        }
        for code in ["23505", "28P01", "42601", "22003"] {
            assert!(!is_transient(code), "{code}");
        }
    }

    #[test]
    fn what_helps_is_said_and_the_servers_own_words_are_not() {
        let error = failed(sqlx::Error::Io(std::io::Error::new(ErrorKind::ConnectionRefused, "hunter2")));
        assert_eq!(error.to_string(), "the warehouse is unavailable: nothing listens at its address");
        let error = failed(sqlx::Error::Protocol("hunter2".to_owned()));
        assert!(!error.to_string().contains("hunter2"), "{error}");
        assert!(error.said().unwrap().contains("hunter2"));
    }
}
