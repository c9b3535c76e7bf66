//! Opening the database, and transactions on it.

use std::{path::Path, str::FromStr, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Executor, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use warehouse_core::{Error, MigrationReport};

use crate::{
    SqliteWarehouse,
    fault::{Failure, Result},
    migration,
};

/// How long a writer waits for another one. A publish of millions of rows holds
/// the database for minutes at most.
const WRITER_PATIENCE: Duration = Duration::from_secs(600);

const READERS: u32 = 8;

/// Exports at a time. They last as long as their readers like, so they have
/// connections of their own.
const EXPORTS: u32 = 8;

pub(crate) async fn open(url: &str) -> Result<SqliteWarehouse> {
    let options = connect_options(url).await?;
    let writer = pool(1).connect_with(options.clone()).await?;
    migration::migrate(&writer).await?;
    let read_only = options.read_only(true);
    let readers = pool(READERS).connect_with(read_only.clone()).await?;
    let exports = pool(EXPORTS).connect_lazy_with(read_only);
    Ok(SqliteWarehouse { writer, readers, exports })
}

pub(crate) async fn migrate(url: &str) -> Result<MigrationReport> {
    let writer = pool(1).connect_with(connect_options(url).await?).await?;
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
        let problem =
            format!("{url:?} names no file to keep the warehouse in: use sqlite:///path/to/warehouse.sqlite");
        return Err(Error::Precondition(problem).into());
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
    /// Does `work` in one transaction, and commits it unless it fails. The write lock
    /// is taken at once: a transaction that read first and wrote later could fail in
    /// the middle.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        Ok(write(&self.writer, work).await?)
    }

    /// Answers a question from one committed state.
    pub(crate) async fn read<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut transaction = self.readers.begin().await.map_err(Failure::from)?;
        Ok(question(&mut transaction).await?)
    }

    /// Answers a question that is a single statement.
    pub(crate) async fn once<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut connection = self.readers.acquire().await.map_err(Failure::from)?;
        Ok(question(&mut connection).await?)
    }
}

/// Does `work` in one transaction of the writer's.
pub(crate) async fn write<T>(
    writer: &SqlitePool,
    work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
) -> Result<T> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// Counts a change to staged data, so that candidates built before it are stale.
pub(crate) async fn bump_staging_version(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1").execute(connection).await?;
    Ok(())
}
