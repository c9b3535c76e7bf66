//! Migrates the schema, and starts on a newer one.

use sqlx::{
    SqliteConnection, SqlitePool,
    migrate::{Migrate, MigrateError, Migrator},
};
use tracing::info;
use warehouse_core::{Error, Fault, MigrationReport};

use crate::{
    checksum,
    fault::{Failure, Result},
    transaction::write,
};

/// Applies all missing migrations, or none.
pub(crate) async fn migrate(writer: &SqlitePool) -> Result<MigrationReport> {
    // Two processes would apply the same migrations: the second waits for the write
    // lock, and then finds them applied.
    let report = write(writer, async |connection| apply(connection, sqlx::migrate!()).await).await?;
    checksum::fill_missing(writer).await?;
    Ok(report)
}

async fn apply(connection: &mut SqliteConnection, mut migrator: Migrator) -> Result<MigrationReport> {
    let table = &migrator.table_name;
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    let before: Vec<i64> = applied.iter().map(|migration| migration.version).collect();
    let known = migrator.iter().map(|migration| (migration.version, migration.description.as_ref()));
    let report = MigrationReport::new(&before, known);
    if report.is_newer()? {
        report.allow(oldest_known(connection).await?)?;
        let MigrationReport { version, newest_known, .. } = report;
        info!(version, newest_known, "the warehouse is newer than this program, which can work with it");
    }
    // sqlx still checks that no known migration has changed.
    migrator.set_ignore_missing(true);
    // `run` takes anything that yields a connection, and so makes a future that is not `Send` for all lifetimes.
    migrator.run_direct(None, connection, false).await?;
    Ok(report)
}

/// The oldest migration that a program must know to work with this schema.
async fn oldest_known(connection: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!("SELECT oldest_known FROM schema_compatibility").fetch_one(connection).await?)
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            // It names migrations and their checksums, but quotes no stored data.
            other => Error::Internal(Fault::new(other.to_string(), other)).into(),
        }
    }
}
