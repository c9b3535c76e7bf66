//! A connection for reading, whose statements end with their reader.
//!
//! A statement runs on a thread of its connection, and goes on there when the future that
//! waits for it is dropped: the connection would stay in use until it has finished for
//! nobody. So SQLite asks every few steps whether to go on.

use std::{
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Sqlite, SqlitePool, pool::PoolConnection};

use crate::fault::Result;

/// How many steps of SQLite's machine go by between two questions: well under a
/// millisecond, and more than ending a transaction takes, which is never stopped.
const STEPS: i32 = 1_000;

/// A connection for reading. Dropping it stops its statement.
pub(crate) struct Reader {
    // Dropped first, so that the statement stops before the connection is returned.
    _stop: StopOnDrop,
    connection: PoolConnection<Sqlite>,
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Reader {
    /// A reader on a connection of `pool`. If there is a `limit`, its statements fail once
    /// it has passed.
    pub(crate) async fn on(pool: &SqlitePool, limit: Option<Duration>) -> Result<Self> {
        let mut connection = pool.acquire().await?;
        let is_gone = Arc::new(AtomicBool::new(false));
        let stop = StopOnDrop(Arc::clone(&is_gone));
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        // Replaces the handler of the connection's last reader, which stops everything.
        connection.lock_handle().await?.set_progress_handler(STEPS, move || {
            !is_gone.load(Ordering::Relaxed) && until.is_none_or(|until| Instant::now() < until)
        });
        Ok(Self { _stop: stop, connection })
    }
}

impl Deref for Reader {
    type Target = PoolConnection<Sqlite>;

    fn deref(&self) -> &PoolConnection<Sqlite> {
        &self.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut PoolConnection<Sqlite> {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{
        AssertSqlSafe,
        sqlite::{SqliteConnectOptions, SqlitePoolOptions},
    };
    use tokio::time::timeout;

    use super::*;

    /// A deadline for what must not hang.
    const IN_TIME: Duration = Duration::from_secs(30);

    /// Runs for hours.
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 99999999999)
                           SELECT COUNT(*) FROM n";

    async fn one_connection() -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(SqliteConnectOptions::new().in_memory(true))
            .await
            .unwrap()
    }

    async fn ask(reader: &mut Reader, sql: &str) -> sqlx::Result<i64> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut ***reader).await
    }

    #[tokio::test]
    async fn a_statement_whose_reader_has_gone_holds_up_nobody() {
        let pool = one_connection().await;
        for _ in 0..20 {
            let mut reader = Reader::on(&pool, None).await.unwrap();
            timeout(Duration::from_millis(5), ask(&mut reader, ENDLESS)).await.unwrap_err();
            drop(reader);
            let mut reader = timeout(IN_TIME, Reader::on(&pool, None)).await.unwrap().unwrap();
            assert_eq!(timeout(IN_TIME, ask(&mut reader, "SELECT 7")).await.unwrap().unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn a_statement_ends_at_its_limit_and_says_so() {
        let pool = one_connection().await;
        let mut reader = Reader::on(&pool, Some(Duration::from_millis(5))).await.unwrap();
        let problem = timeout(IN_TIME, ask(&mut reader, ENDLESS)).await.unwrap().unwrap_err();
        let problem = warehouse_core::Error::from(crate::fault::Failure::from(problem));
        assert_eq!(problem.kind(), domain::FailureKind::Unavailable);
        assert!(problem.to_string().contains("took too long"), "{problem}");
    }
}
