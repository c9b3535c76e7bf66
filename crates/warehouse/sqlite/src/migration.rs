//! Bringing the schema up to date.

use sqlx::{
    SqliteConnection, SqlitePool,
    migrate::{Migrate, MigrateError, Migrator},
};
use warehouse_core::{Error, MigrationReport, Result};

use crate::{checksum, database::failed};

/// Applies what is missing, all of it or nothing.
pub(crate) async fn migrate(writer: &SqlitePool) -> Result<MigrationReport> {
    // Two processes would apply the same migrations: the second one waits for the
    // write lock, and then finds them applied.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let report = apply(&mut transaction, &sqlx::migrate!()).await.map_err(migration_failed)?;
    transaction.commit().await.map_err(failed)?;
    checksum::fill_missing(writer).await?;
    Ok(report)
}

async fn apply(
    connection: &mut SqliteConnection,
    migrator: &Migrator,
) -> std::result::Result<MigrationReport, MigrateError> {
    connection.ensure_migrations_table(&migrator.table_name).await?;
    let applied = connection.list_applied_migrations(&migrator.table_name).await?;
    migrator.run(connection).await?;
    let before: Vec<i64> = applied.iter().map(|migration| migration.version).collect();
    let known = migrator.iter().map(|migration| (migration.version, migration.description.as_ref()));
    Ok(MigrationReport::new(&before, known))
}

fn migration_failed(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => failed(error),
        MigrateError::VersionMissing(version) => Error::Precondition(format!(
            "the warehouse has migration {version}, which this program does not know: use a newer version"
        )),
        other => Error::Internal(Box::new(other)),
    }
}
