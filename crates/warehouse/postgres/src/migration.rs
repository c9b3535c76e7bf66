//! Bringing the schema up to date.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use warehouse_core::{Error, MigrationReport, Result};

use crate::database::failed;

/// How often to look whether another process has finished migrating.
const POLL: Duration = Duration::from_millis(100);

/// Applies what is missing, over a connection of its own; one process at a time.
pub(crate) async fn migrate(connect: &PgConnectOptions) -> Result<MigrationReport> {
    let mut lock = connect.connect().await.map_err(failed)?;
    let mut connection = connect.connect().await.map_err(failed)?;
    // Session locks, which sqlx takes by itself, do not pass through every
    // connection pooler; this one lives in a transaction.
    let mut holding = lock.begin().await.map_err(failed)?;
    // Tried rather than waited for: a waiting statement would hold back whatever
    // needs all earlier transactions to end, such as building an index concurrently.
    while !try_lock(&mut holding).await? {
        tokio::time::sleep(POLL).await;
    }
    let mut migrator = sqlx::migrate!();
    migrator.set_locking(false);
    let report = apply(&mut connection, &migrator).await.map_err(migration_failed)?;
    holding.commit().await.map_err(failed)?;
    // Closed with a goodbye, so that the database may be copied or dropped at once.
    connection.close().await.map_err(failed)?;
    lock.close().await.map_err(failed)?;
    Ok(report)
}

async fn apply(
    connection: &mut PgConnection,
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

async fn try_lock(connection: &mut PgConnection) -> Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock(hashtext('warehouse'), hashtext('migrate')) AS "is_locked!""#
    )
    .fetch_one(connection)
    .await
    .map_err(failed)
}
