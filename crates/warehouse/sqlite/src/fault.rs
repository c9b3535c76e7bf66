//! Maps errors of SQLite and sqlx to those of the contract.

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
        if matches!(error, sqlx::Error::ColumnDecode { .. }) {
            return Self(corrupt(error));
        }
        let code = match &error {
            // The upper bits only refine the code.
            sqlx::Error::Database(cause) => {
                cause.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
            }
            _ => None,
        };
        let is_transient = matches!(code, Some(SQLITE_BUSY | SQLITE_LOCKED | SQLITE_INTERRUPT))
            || matches!(
                error,
                sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
            );
        let reported = match &error {
            sqlx::Error::PoolTimedOut => Some("no connection became free in time"),
            sqlx::Error::PoolClosed => Some("it is being closed"),
            _ => code.and_then(in_words),
        };
        let fault = match reported {
            Some(reported) => Fault::new(reported, error),
            None => Fault::from(Box::<dyn std::error::Error + Send + Sync>::from(error)),
        };
        Self(if is_transient { Error::Unavailable(fault) } else { Error::Internal(fault) })
    }
}

const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;
const SQLITE_INTERRUPT: u32 = 9;

/// A result code in words that quote no stored data.
fn in_words(code: u32) -> Option<&'static str> {
    Some(match code {
        SQLITE_BUSY | SQLITE_LOCKED => "it is busy: another process writes to its file",
        SQLITE_INTERRUPT => "a read took too long and was ended: ask for less at a time",
        8 => "its file may only be read: let the service write to it and to its folder",
        10 => "its file could not be read or written: look at the disk",
        11 => "its file is damaged: restore it from a backup",
        13 => "its disk is full",
        14 => "its file cannot be opened: look at the path and the rights on it",
        19 => "a rule of the schema was broken",
        26 => "its file is no SQLite database",
        _ => return None,
    })
}
