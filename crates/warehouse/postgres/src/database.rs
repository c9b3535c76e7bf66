//! Opening the database, and transactions on it.

use std::borrow::Cow;

use sqlx::{Connection, PgConnection, Postgres, SqlStr, Transaction, pool::PoolConnection};
use warehouse_core::Result;

pub(crate) use crate::fault::failed;
use crate::{
    PostgresWarehouse,
    connections::{Connections, LongLease},
    location, migration,
};

pub(crate) async fn open(url: &str) -> Result<PostgresWarehouse> {
    let location = location::parse(url)?;
    migration::migrate(&location).await?;
    Ok(PostgresWarehouse { connections: Connections::open(location).await? })
}

impl PostgresWarehouse {
    /// A connection for a statement or two.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>> {
        self.connections.short().await
    }

    /// A transaction that may write. Each statement sees what was committed
    /// before it, so what is read after a lock is the truth while it is held.
    pub(crate) async fn begin_write(&self) -> Result<Transaction<'static, Postgres>> {
        begin(self.connection().await?, BEGIN_WRITE).await
    }

    /// A connection for one load, closed behind it. A COPY that is cancelled, at
    /// whatever moment, leaves a connection on which questions and answers no
    /// longer match, and nothing can tell.
    pub(crate) async fn connect_load(&self) -> Result<LongLease> {
        let mut connection = self.connections.long().await?;
        connection.close_on_drop();
        Ok(connection)
    }

    /// A transaction that sees one committed state.
    pub(crate) async fn begin_read(&self) -> Result<Transaction<'static, Postgres>> {
        begin(self.connection().await?, BEGIN_READ).await
    }

    /// The same for what is published. Dropping a partition is not undone for
    /// whoever sees an older state, so nothing may be dropped from its first look on.
    pub(crate) async fn begin_read_fact(&self) -> Result<Transaction<'static, Postgres>> {
        begin(self.connection().await?, BEGIN_READ_FACT).await
    }

    /// A connection for as long as somebody reads an export.
    pub(crate) async fn connect_export(&self) -> Result<LongLease> {
        self.connections.export().await
    }
}

async fn begin(
    connection: PoolConnection<Postgres>,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>> {
    Transaction::begin(connection, Some(SqlStr::from_static(statement))).await.map_err(failed)
}

/// A transaction on what is published, on a connection of one's own.
pub(crate) async fn begin_read_fact(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    connection.begin_with(BEGIN_READ_FACT).await.map_err(failed)
}

/// A client whose host went away in the middle loses its locks after a while.
const BEGIN_WRITE: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '2min'";

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

const BEGIN_READ_FACT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
                               LOCK TABLE ONLY fact_company_activity IN ACCESS SHARE MODE";

/// A transaction like [`PostgresWarehouse::begin_write`]'s on a connection of one's own.
pub(crate) async fn begin_write(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    connection.begin_with(BEGIN_WRITE).await.map_err(failed)
}

/// Counts a change to staged data, so that candidates built before it are stale,
/// and keeps publishes out until the caller's transaction ends.
pub(crate) async fn bump_staging_version(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("UPDATE warehouse_versions SET staging = staging + 1")
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// A count as Postgres stores it.
pub(crate) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A position in what was asked for, as Postgres returned it.
pub(crate) fn position(ordinal: i64) -> usize {
    usize::try_from(ordinal).unwrap_or(usize::MAX)
}

/// A count as Postgres returned it.
pub(crate) fn counted(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// Text as Postgres can store it: NUL, which it cannot, becomes the replacement character.
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
