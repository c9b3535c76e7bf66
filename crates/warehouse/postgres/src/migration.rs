//! Applies migrations, and says what a newer schema means for this program.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection,
    migrate::{AppliedMigration, Migrate, MigrateError, Migrator},
};
use tracing::info;
use warehouse_core::{Error, Fault, MigrationReport};

use crate::{
    connect,
    fault::{Failure, Result, failed, sqlstate},
    location::Location,
};

/// How often to check whether another process has finished migrating.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// Opens the connections that migrating takes: one for the work, one to keep others out.
pub(crate) async fn two_connections(location: &Location) -> Result<(PgConnection, PgConnection)> {
    let (options, mut first) = location.connect().await?;
    let mut second = options.connect().await.map_err(needs_two)?;
    location.prepare(&mut second).await?;
    connect::refuse_transaction_pooling(&mut first, &mut second).await?;
    Ok((first, second))
}

pub(crate) async fn close(first: PgConnection, second: PgConnection) {
    connect::close(second).await;
    connect::close(first).await;
}

/// Applies missing migrations over `connection`, and keeps others out over `lock`.
pub(crate) async fn migrate_over(
    lock: &mut PgConnection,
    connection: &mut PgConnection,
) -> Result<MigrationReport> {
    // Session locks, which sqlx takes by itself, do not work through every connection
    // pooler; this lock lives in a transaction.
    let mut holding = lock.begin().await?;
    // Polled rather than waited for: a waiting statement would block anything that
    // needs all earlier transactions to end, such as building an index concurrently.
    while !try_lock(&mut holding).await? {
        tokio::time::sleep(POLL).await;
    }
    let mut migrator = sqlx::migrate!();
    migrator.set_locking(false);
    let report = apply(connection, migrator).await?;
    holding.commit().await?;
    Ok(report)
}

async fn apply(connection: &mut PgConnection, mut migrator: Migrator) -> Result<MigrationReport> {
    let table = &migrator.table_name;
    connection.ensure_migrations_table(table).await?;
    let applied = connection.list_applied_migrations(table).await?;
    let report = report(connection, &migrator, &applied).await?;
    // sqlx still checks that no known migration has changed.
    migrator.set_ignore_missing(true);
    // `run` takes anything that yields a connection, and so makes a future that is not `Send` for all lifetimes.
    migrator.run_direct(None, connection, false).await?;
    if report.unknown.is_empty() {
        // Roles may have been created since.
        connection.execute("CALL grant_rights()").await?;
    }
    Ok(report)
}

/// What is there to do for a schema with the migrations `applied`.
pub(crate) async fn report(
    connection: &mut PgConnection,
    migrator: &Migrator,
    applied: &[AppliedMigration],
) -> Result<MigrationReport> {
    let before: Vec<i64> = applied.iter().map(|migration| migration.version).collect();
    let known = migrator.iter().map(|migration| (migration.version, migration.description.as_ref()));
    let report = MigrationReport::new(&before, known);
    if report.is_newer()? {
        report.allow(oldest_known(connection).await?)?;
        let MigrationReport { version, newest_known, .. } = report;
        info!(version, newest_known, "the warehouse is newer than this program, which can work with it");
    }
    Ok(report)
}

/// The oldest migration that a program must know to work with this schema.
async fn oldest_known(connection: &mut PgConnection) -> Result<i64> {
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

/// The error if a first connection succeeds but a second fails.
fn needs_two(error: sqlx::Error) -> Error {
    if sqlstate(&error).as_deref() != Some("53300") {
        return failed(error);
    }
    Error::Unavailable(Fault::new(
        "too many connections: it allows fewer than the two that are needed at least, one for the work and one to keep \
         others out; raise the limit (ALTER ROLE ... CONNECTION LIMIT 3) or close other connections of the role",
        error,
    ))
}

async fn try_lock(connection: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_file_scalar!("sql/runs/try_migration_lock.sql").fetch_one(connection).await?)
}
