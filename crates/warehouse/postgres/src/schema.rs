//! Whether a process can work with the schema that it finds, found out without changing
//! anything: services need no right to migrate, and readers are fine with a standby.

use std::time::Duration;

use sqlx::{
    PgConnection,
    migrate::{Migrate, MigrateError},
};
use tokio::time::Instant;
use tracing::warn;
use warehouse_core::{Error, Fault, MigrationReport};

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

/// Applies missing migrations; one process at a time.
pub(crate) async fn migrate(location: &Location) -> Result<MigrationReport> {
    let (mut lock, mut connection) = migration::two_connections(location).await?;
    let rights = Rights::read(&mut connection).await?;
    rights.check_server()?;
    if !rights.may_migrate {
        let (role, cure) = (&rights.role, rights.cure());
        return Err(Error::Precondition(format!(
            "the role {role} may not change the warehouse's schema: {cure}"
        ))
        .into());
    }
    let report = migration::migrate_over(&mut lock, &mut connection).await?;
    migration::close(lock, connection).await;
    Ok(report)
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
        if access == Access::Write {
            rights.check_server()?;
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

    /// Refuses a server that takes no writes.
    fn check_server(&self) -> Result<()> {
        if self.is_read_only {
            return Err(Error::Unavailable(Fault::plain(READ_ONLY)).into());
        }
        Ok(())
    }

    /// Who can bring the schema up to date.
    fn cure(&self) -> String {
        match &self.owner {
            Some(owner) => format!("run `activityctl migrate` as its owner, {owner}"),
            None => "run `activityctl migrate` as the role that is to own it".to_owned(),
        }
    }
}

/// Why a role cannot work with the schema yet. A migration may change that.
///
/// # Errors
/// If no migration will.
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
    let Some(owner) = &rights.owner else {
        return Ok(Some(format!(
            "the warehouse has no schema yet, or none that the role {role} may look into, and {may_not}: {cure}"
        )));
    };
    let lacking = lacking(connection).await?;
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        return Ok(Some(format!("the warehouse's schema lacks {lacking}, and {may_not}: {cure}")));
    }
    if access == Access::Write && rights.may_write == Some(false) {
        return Err(Error::Precondition(format!(
            "the role {role} may only read the warehouse: let an administrator say `GRANT activity_writer TO {role}`, \
             or use another role; the schema belongs to {owner}"
        ))
        .into());
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

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    use test_postgres::{Database, OWNER, READER, WRITER};

    use super::*;
    use crate::location;

    /// What a role is told that cannot work with the schema as it is.
    async fn refused(url: &str, access: Access) -> String {
        let location = location::parse(url).unwrap();
        let refusal = prepare_within(&location, access, Duration::ZERO).await.unwrap_err();
        Error::from(refusal).to_string()
    }

    async fn prepared(url: &str, access: Access) {
        prepare_within(&location::parse(url).unwrap(), access, Duration::ZERO).await.unwrap();
    }

    async fn execute(database: &Database, statement: &str) {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn migrated() -> Database {
        let database = Database::create_with_roles().await.unwrap();
        prepared(&database.url_of(OWNER), Access::Write).await;
        database
    }

    #[tokio::test]
    async fn a_schema_that_is_not_there_is_for_its_owner_to_create() {
        let database = Database::create_with_roles().await.unwrap();
        let problem = refused(&database.url_of(WRITER), Access::Write).await;
        assert_eq!(
            problem,
            "the warehouse has no schema yet, or none that the role test_activity_writer may look into, and the role \
             test_activity_writer may not change it: run `activityctl migrate` as the role that is to own it"
        );
        // Whoever only reads migrates nothing, whatever the role.
        for role in [READER, OWNER] {
            let problem = refused(&database.url_of(role), Access::Read).await;
            assert!(problem.contains("no schema yet") && problem.contains("only reads"), "{problem}");
        }
    }

    #[tokio::test]
    async fn a_schema_that_is_out_of_date_is_for_its_owner_to_migrate() {
        let database = migrated().await;
        execute(&database, "DELETE FROM _sqlx_migrations WHERE version = 13").await;
        let cure = "run `activityctl migrate` as its owner, test_activity_owner";
        for (role, access) in [(WRITER, Access::Write), (READER, Access::Read)] {
            let problem = refused(&database.url_of(role), access).await;
            assert!(problem.starts_with("the warehouse's schema lacks 0013_roles, and "), "{problem}");
            assert!(problem.ends_with(cure), "{problem}");
        }
        prepared(&database.url_of(OWNER), Access::Write).await;
        prepared(&database.url_of(WRITER), Access::Write).await;
        prepared(&database.url_of(READER), Access::Read).await;
    }

    #[tokio::test]
    async fn a_role_that_lacks_rights_learns_which_role_has_them() {
        let database = migrated().await;
        let problem = refused(&database.url_of(READER), Access::Write).await;
        assert!(problem.contains("GRANT activity_writer TO test_activity_reader"), "{problem}");
        execute(&database, "REVOKE SELECT ON _sqlx_migrations FROM activity_reader, activity_writer").await;
        for (role, access, group) in
            [(READER, Access::Read, "activity_reader"), (WRITER, Access::Write, "activity_writer")]
        {
            let problem = refused(&database.url_of(role), access).await;
            assert!(problem.contains(&format!("GRANT {group} TO {role}")), "{problem}");
            assert!(problem.contains("`activityctl migrate` as its owner, test_activity_owner"), "{problem}");
        }
        // Migrating gives the roles their rights, also if there is nothing else to do.
        migrate(&location::parse(&database.url_of(OWNER)).unwrap()).await.unwrap();
        prepared(&database.url_of(WRITER), Access::Write).await;
    }

    #[tokio::test]
    async fn whoever_writes_refuses_a_server_that_takes_no_writes() {
        let database = migrated().await;
        let read_only = |role: &str| {
            let url = database.url_of(role);
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}options=-c%20default_transaction_read_only=on")
        };
        let problem = refused(&read_only(WRITER), Access::Write).await;
        assert!(problem.contains(READ_ONLY), "{problem}");
        prepared(&read_only(READER), Access::Read).await;
        prepared(&read_only(WRITER), Access::Read).await;
    }

    #[tokio::test]
    async fn services_that_start_before_the_migration_wait_for_it() {
        let database = Database::create_with_roles().await.unwrap();
        let [service, reader, owner] = [WRITER, READER, OWNER].map(|role| database.url_of(role));
        let waits = async |url: &str, access| {
            prepare_within(&location::parse(url).unwrap(), access, PATIENCE).await.unwrap();
        };
        futures::join!(
            waits(&service, Access::Write),
            waits(&reader, Access::Read),
            prepared(&owner, Access::Write)
        );
    }
}
