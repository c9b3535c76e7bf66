//! An analyst who queries the published table with plain SQL.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use chrono::{DateTime, NaiveDate, Utc};
use domain::{Checksum, DateWindow, fact::COLUMNS};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use tokio::{sync::Notify, task::JoinHandle};

use crate::in_time;

/// The columns that a day's checksum leaves out: one follows from others, the other is no content.
const NOT_HASHED: [&str; 2] = ["events_per_user", "loaded_at"];

/// What one statement reads of a day: its ledger entry and its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayAsRead {
    /// The time of its publication, from the ledger.
    pub published_at: DateTime<Utc>,
    /// The number of rows and their checksum, from the ledger.
    pub ledger: (i64, Checksum),
    /// The number of rows found, and their checksum.
    pub rows: (i64, Checksum),
}

/// Days read by one statement.
pub type DaysAsRead = BTreeMap<NaiveDate, DayAsRead>;

/// A connection to Postgres in the readers' role.
#[derive(Debug)]
pub struct SqlReader(PgConnection);

impl SqlReader {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// If that fails.
    pub async fn connect(url: &str) -> Result<Self> {
        let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
        connection.execute("SET ROLE activity_reader").await?;
        Ok(Self(connection))
    }

    /// Reads the days of a window in one statement.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn read(&mut self, window: DateWindow) -> Result<DaysAsRead> {
        type Row = (NaiveDate, DateTime<Utc>, i64, i32, i64, i64, i64);
        let hashed: Vec<String> = COLUMNS
            .iter()
            .filter(|column| !NOT_HASHED.contains(column))
            .map(|column| format!("\"{column}\""))
            .collect();
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT activity_date, published_at, row_count, checksum_version, checksum, COUNT(company_id),
                    COALESCE(bit_xor(fact_row_hash({})), 0)
             FROM published_days LEFT JOIN fact_company_activity USING (activity_date)
             WHERE activity_date BETWEEN $1 AND $2
             GROUP BY activity_date, published_at, row_count, checksum_version, checksum",
            hashed.join(", ")
        )))
        .bind(window.start())
        .bind(window.end())
        .fetch_all(&mut self.0)
        .await?;
        let day = |(day, published_at, row_count, version, checksum, count, computed): Row| {
            let ledger = (row_count, Checksum::from_stored(version, checksum)?);
            let rows = (count, Checksum::from_stored(version, computed)?);
            Ok((day, DayAsRead { published_at, ledger, rows }))
        };
        rows.into_iter().map(day).collect()
    }

    /// The number of rows that a query returns.
    ///
    /// # Errors
    /// If the database refuses it.
    pub async fn count_rows(&mut self, query: &str) -> Result<usize> {
        Ok(sqlx::query(AssertSqlSafe(query)).fetch_all(&mut self.0).await?.len())
    }

    /// Closes the connection gracefully.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn close(self) -> Result<()> {
        Ok(self.0.close().await?)
    }
}

/// Reads repeatedly in the background.
#[derive(Debug)]
pub struct Watch {
    end: Arc<Notify>,
    reads: JoinHandle<Result<Vec<DaysAsRead>>>,
}

impl Watch {
    /// Starts reading; returns the first result.
    ///
    /// # Errors
    /// If it fails.
    pub async fn start(url: &str, window: DateWindow) -> Result<(DaysAsRead, Self)> {
        let mut reader = SqlReader::connect(url).await?;
        let first = reader.read(window).await?;
        let end = Arc::new(Notify::new());
        let ended = Arc::clone(&end);
        let mut seen = vec![first.clone()];
        let reads = tokio::spawn(async move {
            loop {
                let days = tokio::select! {
                    biased;
                    () = ended.notified() => break,
                    days = reader.read(window) => days?,
                };
                // An unchanged result adds nothing.
                if seen.last() != Some(&days) {
                    seen.push(days);
                }
            }
            Ok(seen)
        });
        Ok((first, Self { end, reads }))
    }

    /// Stops reading, and returns all results from the first on, without consecutive repeats.
    ///
    /// # Errors
    /// If a read failed.
    pub async fn end(self) -> Result<Vec<DaysAsRead>> {
        self.end.notify_one();
        in_time("a look", self.reads).await??
    }
}
