//! Direct access to the warehouse's database, bypassing every service.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::{
    AssertSqlSafe, Executor, PgPool, Postgres, Sqlite, SqlitePool, Transaction, sqlite::SqliteConnectOptions,
};

use crate::suite::Suite;

/// How long to wait for another writer of SQLite.
const WRITER_PATIENCE: Duration = Duration::from_secs(60);

/// The database under a suite.
#[derive(Debug)]
pub enum Database {
    /// A SQLite file.
    Sqlite(SqlitePool),
    /// A database on a Postgres server.
    Postgres(PgPool),
}

/// While this value lives, nothing can build candidates. On SQLite, which
/// allows one writer, nothing can write at all.
#[derive(Debug)]
pub enum HeldBuilds {
    /// Holds the write lock.
    Sqlite(Transaction<'static, Sqlite>),
    /// Holds a lock on the candidates.
    Postgres(Transaction<'static, Postgres>),
}

impl Suite {
    /// Connects to the warehouse's database.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn database(&self) -> Result<Database> {
        let url = self.warehouse_url();
        if url.starts_with("postgres") {
            return Ok(Database::Postgres(PgPool::connect(&url).await?));
        }
        let file = SqliteConnectOptions::new().filename(self.warehouse_file()).busy_timeout(WRITER_PATIENCE);
        Ok(Database::Sqlite(SqlitePool::connect_with(file).await?))
    }
}

impl Database {
    /// The results of a query for one text column.
    ///
    /// # Errors
    /// If it fails.
    pub async fn texts(&self, query: String) -> Result<Vec<String>> {
        let query = AssertSqlSafe(query);
        Ok(match self {
            Self::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await?,
            Self::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await?,
        })
    }

    /// Executes a statement.
    ///
    /// # Errors
    /// If it fails.
    pub async fn execute(&self, statement: String) -> Result<()> {
        let context = statement.clone();
        let statement = AssertSqlSafe(statement);
        match self {
            Self::Sqlite(pool) => pool.execute(statement).await.map(drop),
            Self::Postgres(pool) => pool.execute(statement).await.map(drop),
        }
        .context(context)
    }

    /// The names of all tables, a partitioned one counting once.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn tables(&self) -> Result<Vec<String>> {
        let query = match self {
            Self::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
            Self::Postgres(_) => {
                "SELECT relname::TEXT FROM pg_class WHERE relnamespace = current_schema()::regnamespace
                   AND relkind IN ('r', 'p') AND NOT relispartition"
            }
        };
        self.texts(query.to_owned()).await
    }

    /// The stored state of a run, without any service.
    ///
    /// # Errors
    /// If there is no such run.
    pub async fn run_state(&self, run_id: &str) -> Result<String> {
        let query = format!("SELECT state FROM pipeline_runs WHERE run_id = '{run_id}'");
        self.texts(query).await?.pop().with_context(|| format!("there is no run {run_id}"))
    }

    /// The stored state of a run's stage.
    ///
    /// # Errors
    /// If there is no such stage.
    pub async fn stage_state(&self, run_id: &str, stage: &str) -> Result<String> {
        let query =
            format!("SELECT state FROM pipeline_run_stages WHERE run_id = '{run_id}' AND stage = '{stage}'");
        self.texts(query).await?.pop().with_context(|| format!("run {run_id} has no stage {stage}"))
    }

    /// Blocks all builds of candidates.
    ///
    /// # Errors
    /// If the lock is not available.
    pub async fn hold_builds(&self) -> Result<HeldBuilds> {
        Ok(match self {
            Self::Sqlite(pool) => HeldBuilds::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await?;
                transaction.execute("LOCK TABLE fact_candidates").await?;
                HeldBuilds::Postgres(transaction)
            }
        })
    }

    /// Migrates as a later version may, while this version's programs are
    /// running: adds a column to every table, and a table.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn migrate_to_next_version(&self) -> Result<()> {
        for table in self.tables().await? {
            if !table.starts_with("_sqlx") && !table.starts_with("sqlite") {
                let add =
                    format!(r#"ALTER TABLE "{table}" ADD COLUMN next_version INTEGER NOT NULL DEFAULT 0"#);
                self.execute(add).await?;
            }
        }
        let create = "CREATE TABLE next_version (company_id TEXT NOT NULL PRIMARY KEY)";
        self.execute(create.to_owned()).await?;
        let record = r"INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                       VALUES (9999, 'of the next version', TRUE, '\x00', 0)";
        self.execute(record.to_owned()).await
    }
}

impl HeldBuilds {
    /// Unblocks builds.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn release(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.rollback().await?),
            Self::Postgres(transaction) => Ok(transaction.rollback().await?),
        }
    }
}
