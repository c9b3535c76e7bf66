//! Opening the database, and transactions on it.

use std::{path::Path, str::FromStr, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Executor, Sqlite, SqliteConnection, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use warehouse_core::{Error, Fault, MigrationReport, Result};

use crate::{SqliteWarehouse, migration};

/// How long a writer waits for another one. A publish of millions of rows holds
/// the database for minutes at most.
const WRITER_PATIENCE: Duration = Duration::from_secs(600);

const READERS: u32 = 8;

/// Exports at a time. They last as long as their readers like, so they have
/// connections of their own.
const EXPORTS: u32 = 8;

pub(crate) async fn open(url: &str) -> Result<SqliteWarehouse> {
    let options = connect_options(url).await?;
    let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
    migration::migrate(&writer).await?;
    let read_only = options.read_only(true);
    let readers = pool(READERS).connect_with(read_only.clone()).await.map_err(failed)?;
    let exports = pool(EXPORTS).connect_lazy_with(read_only);
    Ok(SqliteWarehouse { writer, readers, exports })
}

pub(crate) async fn migrate(url: &str) -> Result<MigrationReport> {
    let writer = pool(1).connect_with(connect_options(url).await?).await.map_err(failed)?;
    let report = migration::migrate(&writer).await?;
    // The last one to close the file tidies up beside it.
    writer.close().await;
    Ok(report)
}

/// How to connect to the file, whose folder is created as needed.
async fn connect_options(url: &str) -> Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| {
        Error::Precondition(format!("{url:?} is no SQLite URL: use sqlite:///path/to/warehouse.sqlite"))
    })?;
    // Each connection would have a database of its own, gone with it.
    let file = options.get_filename().to_string_lossy();
    if url.contains("mode=memory")
        || file.is_empty()
        || file.starts_with(":memory:")
        || file.starts_with("file:sqlx-in-memory")
    {
        return Err(Error::Precondition(format!(
            "{url:?} names no file to keep the warehouse in: use sqlite:///path/to/warehouse.sqlite"
        )));
    }
    if let Some(folder) = options.get_filename().parent().filter(|folder| *folder != Path::new("")) {
        tokio::fs::create_dir_all(folder).await.map_err(|error| {
            Error::Precondition(format!("cannot create the warehouse's folder {}: {error}", folder.display()))
        })?;
    }
    Ok(options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // In WAL mode NORMAL survives a killed process; FULL also survives a
        // power cut without losing what was reported as committed.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WRITER_PATIENCE)
        // Told for traces, and to those who debug.
        .log_statements(LevelFilter::Debug)
        // Bulk statements take their time; a warning with their whole text says nothing.
        .log_slow_statements(LevelFilter::Debug, Duration::MAX))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WRITER_PATIENCE)
        // A cancelled `begin` leaves its transaction open on the pooled
        // connection; whoever borrowed it next would run inside.
        .after_release(|connection, _| {
            Box::pin(async move {
                // Fails where no transaction is open, which is the usual case.
                let _ = connection.execute("ROLLBACK").await;
                Ok(true)
            })
        })
}

impl SqliteWarehouse {
    /// A transaction that may write. It takes the write lock at once: a
    /// transaction that read first and wrote later could fail in the middle.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)
    }

    /// A transaction that sees one committed state.
    pub(crate) async fn begin_read(&self) -> Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await.map_err(failed)
    }

    /// The same for as long as somebody reads an export.
    pub(crate) async fn begin_export(&self) -> Result<Transaction<'static, Sqlite>> {
        self.exports.begin().await.map_err(failed)
    }
}

/// Counts a change to staged data, so that candidates built before it are stale.
pub(crate) async fn bump_staging_version(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// What sqlx says, in the words of the contract.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    let code = match &error {
        // What is specific about a code is in the upper bits.
        sqlx::Error::Database(cause) => {
            cause.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
        }
        _ => None,
    };
    let is_transient = matches!(code, Some(SQLITE_BUSY | SQLITE_LOCKED))
        || matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed);
    let told = match &error {
        sqlx::Error::PoolTimedOut => Some("no connection became free in time"),
        sqlx::Error::PoolClosed => Some("it is being closed"),
        _ => code.and_then(in_words),
    };
    let fault = match told {
        Some(told) => Fault::new(told, error),
        None => Fault::from(Box::<dyn std::error::Error + Send + Sync>::from(error)),
    };
    if is_transient { Error::Unavailable(fault) } else { Error::Internal(fault) }
}

const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;

/// A result code in words that quote nothing that is stored.
fn in_words(code: u32) -> Option<&'static str> {
    Some(match code {
        SQLITE_BUSY | SQLITE_LOCKED => "it is busy: another process writes to its file",
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

/// A count as SQLite stores it.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A position in what was asked for, as SQLite returned it.
pub(crate) fn position(ordinal: i64) -> usize {
    usize::try_from(ordinal).unwrap_or(usize::MAX)
}

/// A count as SQLite returned it.
pub(crate) fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
