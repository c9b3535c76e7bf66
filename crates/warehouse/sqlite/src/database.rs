//! Opening the database, and transactions on it.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Connection, Executor, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use warehouse_core::{Error, MigrationReport, engine::ChurnSummaries};

use crate::{fault::Result, migration, reader::Reader, transaction};

/// How long a writer waits for another. A publish of millions of rows holds the
/// database for a few minutes at most.
const WRITER_PATIENCE: Duration = Duration::from_secs(600);

/// How much the writer keeps in memory of the file, in the negative kibibytes that SQLite
/// asks for: the ends of a build's days and of the tables' indexes. With its default of
/// two MiB it reads and writes them again and again.
const WRITER_CACHE: &str = "-16384";

const READERS: u32 = 8;

/// How long a query of a caller may take.
const READ_LIMIT: Duration = Duration::from_secs(60);

/// The most concurrent exports. They last as long as their readers like, so they have
/// their own connections.
const EXPORTS: u32 = 8;

/// The embedded engine.
#[derive(Debug, Clone)]
pub struct SqliteWarehouse {
    /// The only connection that writes.
    pub(crate) writer: SqlitePool,
    /// Connections that only read.
    pub(crate) readers: SqlitePool,
    /// Connections held by exports and previews while they last.
    pub(crate) exports: SqlitePool,
    pub(crate) churn_summaries: Arc<ChurnSummaries>,
}

impl SqliteWarehouse {
    /// Opens the database file that `url` names (`sqlite:///path/to/file`), creates it
    /// and its folder as needed, and migrates its schema.
    ///
    /// # Errors
    /// If the URL is invalid, or the file cannot be opened or migrated.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Ok(open(url).await?)
    }

    /// Migrates the schema and does nothing else. Any number of processes may do so at
    /// the same time.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<MigrationReport, Error> {
        Ok(migrate(url).await?)
    }
}

async fn open(url: &str) -> Result<SqliteWarehouse> {
    let options = connect_options(url).await?;
    let writer = pool(1).connect_with(options.clone().pragma("cache_size", WRITER_CACHE)).await?;
    migration::migrate(&writer).await?;
    let read_only = options.read_only(true);
    let readers = pool(READERS).connect_with(read_only.clone()).await?;
    let exports = pool(EXPORTS).connect_lazy_with(read_only);
    Ok(SqliteWarehouse { writer, readers, exports, churn_summaries: Arc::default() })
}

async fn migrate(url: &str) -> Result<MigrationReport> {
    let writer = pool(1).connect_with(connect_options(url).await?).await?;
    let report = migration::migrate(&writer).await?;
    // The last connection to close the file removes the files beside it.
    writer.close().await;
    Ok(report)
}

/// The connect options for the file; creates its folder as needed.
async fn connect_options(url: &str) -> Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url).map_err(|_| {
        Error::Precondition(format!("{url:?} is no SQLite URL: use sqlite:///path/to/warehouse.sqlite"))
    })?;
    // Each connection would have its own database, which would vanish with it.
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
        // In WAL mode NORMAL survives a killed process; FULL also survives a power cut
        // without losing reported commits.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(WRITER_PATIENCE)
        // Logged for traces, and for debugging.
        .log_statements(LevelFilter::Debug)
        // Bulk statements are slow; a warning with their whole text is useless.
        .log_slow_statements(LevelFilter::Debug, Duration::MAX))
}

fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(WRITER_PATIENCE)
        // A cancelled `begin` leaves its transaction open on the pooled connection; the
        // next borrower would run inside it.
        .after_release(|connection, _| {
            Box::pin(async move {
                // Fails if there is no transaction, which is the usual case.
                let _ = connection.execute("ROLLBACK").await;
                Ok(true)
            })
        })
}

impl SqliteWarehouse {
    /// Runs `work` in one transaction, and commits it unless it fails. It takes the
    /// write lock at once: a transaction that reads first and writes later could fail
    /// in the middle.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        Ok(transaction::write(&self.writer, work).await?)
    }

    /// Reads from one committed state.
    pub(crate) async fn read<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        Ok(self.read_within(Some(READ_LIMIT), question).await?)
    }

    /// Like [`read`](Self::read), for a stage's read of much of the warehouse.
    pub(crate) async fn scan<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        Ok(self.read_within(None, question).await?)
    }

    async fn read_within<T>(
        &self,
        limit: Option<Duration>,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T> {
        let mut reader = Reader::on(&self.readers, limit).await?;
        let mut transaction = reader.begin().await?;
        question(&mut transaction).await
    }

    /// Reads with a single statement.
    pub(crate) async fn once<T>(
        &self,
        question: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut reader = Reader::on(&self.readers, Some(READ_LIMIT)).await?;
        Ok(question(&mut reader).await?)
    }

    /// A reader for the duration of an export or a preview.
    pub(crate) async fn export_reader(&self) -> Result<Reader> {
        Reader::on(&self.exports, None).await
    }
}

/// Counts a change to staged data, so that candidates built earlier are outdated.
pub(crate) async fn bump_staging_version(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1").execute(connection).await?;
    Ok(())
}
