//! A connection on loan from the pool, and what becomes of it.
//!
//! A call that is cancelled drops its future, and with it the connection on which its
//! statement runs. Returned to the pool, the connection would be held until the server
//! has finished for nobody: a few such calls would use up the pool. So only those whose
//! work is done return at once. Of any other the transaction is rolled back, if the
//! server answers in time; if it does not, the connection is closed, which ends the
//! statement (`client_connection_check_interval`, [`StatementLimits`]).
//!
//! [`StatementLimits`]: crate::statement_limits::StatementLimits

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use scopeguard::ScopeGuard;
use sqlx::{Executor, PgConnection, Postgres, pool::PoolConnection};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout};

/// How long an abandoned statement may go on. Most are over sooner, which spares the
/// server new connections while many callers give up.
const GRACE: Duration = Duration::from_millis(100);

/// A connection on loan. Dropping it abandons what goes on there.
pub(crate) struct Lease(ScopeGuard<Loan, fn(Loan)>);

struct Loan {
    connection: PoolConnection<Postgres>,
    /// The holder's shares of the connections that may be held for long.
    _shares: Vec<OwnedSemaphorePermit>,
    is_used_once: bool,
    /// Ends what goes on there, when it is abandoned.
    end: &'static str,
}

impl Lease {
    pub(crate) fn new(connection: PoolConnection<Postgres>, shares: Vec<OwnedSemaphorePermit>) -> Self {
        let loan = Loan { connection, _shares: shares, is_used_once: false, end: "ROLLBACK" };
        Self(scopeguard::guard(loan, abandon))
    }

    /// Ends what is abandoned with these statements instead of a mere `ROLLBACK`.
    pub(crate) fn end_with(&mut self, statements: &'static str) {
        self.0.end = statements;
    }

    /// Closes the connection in the end, whatever becomes of the work.
    pub(crate) fn close_on_drop(&mut self) {
        self.0.is_used_once = true;
        self.0.connection.close_on_drop();
    }

    /// Returns the connection at once: no statement runs on it, and no transaction is
    /// open but one that is about to be rolled back by its drop.
    pub(crate) fn release(self) {
        drop(ScopeGuard::into_inner(self.0));
    }
}

impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0.connection
    }
}

fn abandon(mut loan: Loan) {
    if loan.is_used_once {
        return;
    }
    // Without a runtime the process is about to end, and its connections with it.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        // Waits for what runs. A transaction may be open even though sqlx knows of none:
        // of a `begin` that was cancelled (github.com/transact-rs/sqlx/issues/4393) or that
        // failed half-way. Outside a transaction it does nothing.
        let ended = timeout(GRACE, loan.connection.execute(loan.end)).await;
        if !matches!(ended, Ok(Ok(_))) {
            loan.connection.close_on_drop();
        }
    });
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;
    use crate::{connections::Connections, location, schema::Access};

    async fn one_connection(database: &test_postgres::Database) -> Connections {
        let mut location = location::parse(&database.url()).unwrap();
        location.connections = 1;
        Connections::open(location, Access::Write).await.unwrap()
    }

    async fn backend(lease: &mut Lease) -> i32 {
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut **lease).await.unwrap()
    }

    /// Polls a future this often, then drops it. Returns whether it was done.
    async fn cancelled_after<F: Future>(polls: u32, future: F) -> bool {
        let mut future = Box::pin(future);
        let mut left = polls;
        std::future::poll_fn(|context| {
            left -= 1;
            match future.as_mut().poll(context) {
                Poll::Pending if left > 0 => Poll::Pending,
                state => Poll::Ready(state.is_ready()),
            }
        })
        .await
    }

    #[tokio::test]
    async fn a_connection_is_used_again_unless_its_statement_runs_on() {
        let database = test_postgres::Database::create().await.unwrap();
        let connections = one_connection(&database).await;
        let mut lease = connections.short().await.unwrap();
        let first = backend(&mut lease).await;
        lease.release();
        // Dropped while nothing runs, in a transaction and out of one.
        drop(connections.short().await.unwrap());
        let mut lease = connections.short().await.unwrap();
        lease.execute("BEGIN").await.unwrap();
        drop(lease);
        let mut lease = connections.short().await.unwrap();
        assert_eq!(backend(&mut lease).await, first);
        timeout(GRACE, lease.execute("SELECT pg_sleep(3600)")).await.unwrap_err();
        drop(lease);
        let mut lease = connections.short().await.unwrap();
        assert_ne!(backend(&mut lease).await, first);
    }

    #[tokio::test]
    async fn a_transaction_that_was_cancelled_while_it_began_is_not_inherited() {
        let database = test_postgres::Database::create().await.unwrap();
        let connections = one_connection(&database).await;
        let transaction = async || -> i64 {
            let mut lease = connections.short().await.unwrap();
            let id = sqlx::query_scalar("SELECT txid_current()").fetch_one(&mut *lease).await.unwrap();
            lease.release();
            id
        };
        for polls in 1.. {
            let beginning = async {
                let mut lease = connections.short().await.unwrap();
                drop(sqlx::Connection::begin(&mut *lease).await.unwrap());
            };
            let begun = cancelled_after(polls, beginning).await;
            assert_ne!(transaction().await, transaction().await, "after {polls} polls");
            if begun {
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_transaction_that_failed_to_begin_is_not_inherited() {
        let database = test_postgres::Database::create().await.unwrap();
        let connections = one_connection(&database).await;
        let mut lease = connections.short().await.unwrap();
        lease.execute("BEGIN; SELECT 1 / 0").await.unwrap_err();
        drop(lease);
        let mut lease = connections.short().await.unwrap();
        backend(&mut lease).await;
    }
}
