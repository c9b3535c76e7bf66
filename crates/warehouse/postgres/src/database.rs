//! Opening the database, and transactions on it.

use std::{borrow::Cow, fmt, sync::Arc};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use warehouse_core::{Error, MigrationReport, engine::ChurnSummaries};

use crate::{
    churn_order::ChurnOrders,
    connections::Connections,
    fault::Result,
    lease::Lease,
    location,
    schema::{self, Access},
};

/// The production engine.
#[derive(Clone)]
pub struct PostgresWarehouse {
    pub(crate) connections: Connections,
    pub(crate) churn_orders: Arc<ChurnOrders>,
    pub(crate) churn_summaries: Arc<ChurnSummaries>,
}

impl PostgresWarehouse {
    /// Connects to the database that `url` names
    /// (`postgres://user:password@host:5432/database`, or another form of libpq) and
    /// migrates its schema, if it is not current and the role owns it.
    /// `max_connections` in the URL's query limits the open connections; the default is
    /// 18, or what the role may have.
    ///
    /// # Errors
    /// If the URL is invalid, the database cannot be reached or migrated, or the role may
    /// not work with it or finds a schema that it may not migrate.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Ok(open(url, Access::Write).await?)
    }

    /// Connects as [`open`](Self::open) does, to read what is published: migrates
    /// nothing, and is content with a standby and with the role `activity_reader`.
    ///
    /// # Errors
    /// If the URL is invalid, the database cannot be reached, or has no schema that this
    /// program and its role can read.
    pub async fn open_to_read(url: &str) -> Result<Self, Error> {
        Ok(open(url, Access::Read).await?)
    }

    /// Migrates the schema and does nothing else. Any number of processes may do so at
    /// the same time.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<MigrationReport, Error> {
        Ok(schema::migrate(&location::parse(url)?).await?)
    }
}

impl fmt::Debug for PostgresWarehouse {
    /// Omits where it is connected to: connect options hold the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresWarehouse").finish_non_exhaustive()
    }
}

async fn open(url: &str, access: Access) -> Result<PostgresWarehouse> {
    let location = location::parse(url)?;
    schema::prepare(&location, access).await?;
    let connections = Connections::open(location, access).await?;
    Ok(PostgresWarehouse { connections, churn_orders: Arc::default(), churn_summaries: Arc::default() })
}

impl PostgresWarehouse {
    /// Executes one or two statements, each on its own.
    pub(crate) async fn once<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lease = self.connections.short().await?;
        let done = work(&mut lease).await?;
        lease.release();
        Ok(done)
    }

    /// Executes one statement that finds a few rows by a key.
    pub(crate) async fn look_up<T>(
        &self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lookup = self.connections.lookup().await?;
        let answer = question(&mut lookup).await?;
        lookup.release();
        Ok(answer)
    }

    /// Runs `work` in one transaction, and commits it unless it fails. Each statement
    /// sees what was committed before it, so what is read under a lock stays true while
    /// the lock is held.
    pub(crate) async fn write<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lease = self.connections.short().await?;
        let done = committed(&mut lease, &[BEGIN_WRITE, self.unlimited()], work).await?;
        lease.release();
        Ok(done)
    }

    /// Runs the `work` of one load like [`write`](Self::write), on a connection that is
    /// closed afterwards. A COPY cancelled at any moment leaves a connection whose
    /// requests and responses no longer match, and this cannot be detected.
    pub(crate) async fn load<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lease = self.connections.long().await?;
        lease.close_on_drop();
        Ok(committed(&mut lease, &[BEGIN_WRITE, self.unlimited()], work).await?)
    }

    /// Executes one statement that writes, also where connections are there to read:
    /// whether it may is up to the role.
    pub(crate) async fn record<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lease = self.connections.short().await?;
        let done = committed(&mut lease, &[BEGIN_RECORD], work).await?;
        lease.release();
        Ok(done)
    }

    /// Reads from one committed state.
    pub(crate) async fn read<T>(
        &self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        self.read_in(&[BEGIN_READ], question).await
    }

    /// Like [`read`](Self::read), for a stage's read of much of the warehouse.
    pub(crate) async fn scan<T>(
        &self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        self.read_in(&[BEGIN_READ, self.unlimited()], question).await
    }

    /// Like [`read`](Self::read), for published data. A dropped partition is gone even
    /// for readers of an older state, so nothing may be dropped from its first read on.
    pub(crate) async fn read_fact<T>(
        &self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        self.read_in(&[BEGIN_READ, HOLD_PARTITIONS], question).await
    }

    async fn read_in<T>(
        &self,
        beginning: &[&str],
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
    ) -> Result<T, Error> {
        let mut lease = self.connections.short().await?;
        let answer = {
            let mut transaction = begin(&mut lease, beginning).await?;
            question(&mut transaction).await?
        };
        lease.release();
        Ok(answer)
    }

    /// Lifts the limits of statements for one transaction.
    fn unlimited(&self) -> &str {
        &self.connections.statement_limits().lift_in_transaction
    }

    /// A connection for the duration of an export or a preview.
    pub(crate) async fn connect_export(&self) -> Result<Lease> {
        Ok(self.connections.export().await?)
    }
}

/// Begins a transaction that may write, on the caller's connection.
pub(crate) async fn begin_write(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    begin(connection, &[BEGIN_WRITE]).await
}

/// Begins a transaction that reads published data for as long as an export lasts, on the
/// caller's connection.
pub(crate) async fn begin_export(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    begin(connection, &[BEGIN_READ, HOLD_PARTITIONS, EXPORT_PATIENCE]).await
}

/// Runs `work` in a transaction that these statements begin, and commits it unless it fails.
async fn committed<T>(
    connection: &mut PgConnection,
    beginning: &[&str],
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    let mut transaction = begin(connection, beginning).await?;
    let done = work(&mut transaction).await?;
    transaction.commit().await?;
    Ok(done)
}

/// Begins a transaction by these statements, in one round trip.
async fn begin<'c>(
    connection: &'c mut PgConnection,
    statements: &[&str],
) -> Result<Transaction<'c, Postgres>> {
    Ok(connection.begin_with(AssertSqlSafe(statements.join("; "))).await?)
}

/// A client whose host dies in the middle loses its locks after a while.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2min'";

const BEGIN_RECORD: &str = "BEGIN READ WRITE";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const HOLD_PARTITIONS: &str = "LOCK TABLE ONLY fact_company_activity IN ACCESS SHARE MODE";

/// Between two pages an export waits for its reader. The service ends one whose reader
/// stalls long before; this ends the transaction of a service whose host has died, which
/// would keep old rows from being vacuumed.
const EXPORT_PATIENCE: &str = "SET LOCAL idle_in_transaction_session_timeout = '15min'";

/// Counts a change to staged data, so that candidates built earlier are outdated, and
/// blocks publishes until the caller's transaction ends.
pub(crate) async fn bump_staging_version(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1").execute(connection).await?;
    Ok(())
}

/// Text that Postgres can store: the replacement character takes the place of NUL.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_a_nul_is_stored_without() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        assert!(matches!(storable("ab"), Cow::Borrowed("ab")));
    }
}
