//! Whether a process can work with the schema that it finds, found out without changing
//! anything: services need no right to migrate, and readers are fine with a standby.

use std::time::Duration;

use sqlx::{
    PgConnection,
    migrate::{Migrate, MigrateError},
};
use tokio::time::Instant;
use tracing::warn;
use warehouse_core::{Error, Fault};

use crate::{
    fault::{READ_ONLY, Result},
    location::Location,
    migration::{self, POLL},
};

/// How long to wait for others to migrate: processes and the migration may start together.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a process does with the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It reads and writes, and migrates the schema if its role may.
    Write,
    /// It reads what is published.
    Read,
}

/// What a role may do.
struct Rights {
    role: String,
    /// The schema's owner, if there is a schema.
    owner: Option<String>,
    may_read: Option<bool>,
    may_write: Option<bool>,
    may_migrate: bool,
    is_read_only: bool,
}

/// Waits until the schema is current, and migrates it if the role may.
pub(crate) async fn prepare(location: &Location, access: Access) -> Result<()> {
    prepare_within(location, access, PATIENCE).await
}

async fn prepare_within(location: &Location, access: Access, patience: Duration) -> Result<()> {
    let (mut connection, mut second) = migration::two_connections(location).await?;
    let deadline = Instant::now() + patience;
    let mut has_said = false;
    loop {
        let rights = Rights::read(&mut connection).await?;
        if access == Access::Write && rights.is_read_only {
            return Err(Error::Unavailable(Fault::plain(READ_ONLY)).into());
        }
        let Some(problem) = problem(&mut connection, &rights, access).await? else { break };
        if access == Access::Write && rights.may_migrate {
            migration::migrate_over(&mut connection, &mut second).await?;
            break;
        }
        if Instant::now() >= deadline {
            return Err(Error::Precondition(problem).into());
        }
        if !has_said {
            warn!(problem, "waiting up to {patience:?} for the warehouse's schema");
            has_said = true;
        }
        tokio::time::sleep(POLL).await;
    }
    migration::close(connection, second).await;
    Ok(())
}

impl Rights {
    async fn read(connection: &mut PgConnection) -> Result<Self> {
        Ok(sqlx::query_file_as!(Self, "sql/schema/rights.sql").fetch_one(connection).await?)
    }

    /// Who can bring the schema up to date.
    fn cure(&self) -> String {
        match &self.owner {
            Some(owner) => format!("run `activityctl migrate` as its owner, {owner}"),
            None => "run `activityctl migrate` as the role that is to own it".to_owned(),
        }
    }
}

/// Why a role cannot work with the schema now. Others may change that.
async fn problem(connection: &mut PgConnection, rights: &Rights, access: Access) -> Result<Option<String>> {
    let (role, cure) = (&rights.role, rights.cure());
    if rights.may_read == Some(false) {
        let group = match access {
            Access::Write => "activity_writer",
            Access::Read => "activity_reader",
        };
        return Ok(Some(format!(
            "the role {role} has no rights in the warehouse: let an administrator say `GRANT {group} TO {role}`, and \
             {cure}, which gives {group} its rights"
        )));
    }
    let may_not = match access {
        Access::Write => format!("the role {role} may not change it"),
        Access::Read => "this program only reads".to_owned(),
    };
    let Some(owner_found) = &rights.owner else {
        return Ok(Some(format!("the warehouse has no schema yet, or none that the role {role} may look into, and {may_not}: {cure}")));
    };
    let lacking = lacking(connection).await?;
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        return Ok(Some(format!("the warehouse's schema lacks {lacking}, and {may_not}: {cure}")));
    }
    if access == Access::Write && rights.may_write == Some(false) {
        return Ok(Some(format!(
            "the role {role} may only read the warehouse: let an administrator say `GRANT activity_writer TO {role}`, \
             or use another role; the schema belongs to {owner_found}"
        )));
    }
    Ok(None)
}

/// The migrations that the schema lacks, in order.
async fn lacking(connection: &mut PgConnection) -> Result<Vec<String>> {
    let migrator = sqlx::migrate!();
    let table = &migrator.table_name;
    if let Some(version) = connection.dirty_version(table).await? {
        return Err(MigrateError::Dirty(version).into());
    }
    let applied = connection.list_applied_migrations(table).await?;
    let report = migration::report(connection, &migrator, &applied).await?;
    for migration in &applied {
        let known = migrator.iter().find(|known| known.version == migration.version);
        if known.is_some_and(|known| known.checksum != migration.checksum) {
            return Err(MigrateError::VersionMismatch(migration.version).into());
        }
    }
    Ok(report.applied)
}
