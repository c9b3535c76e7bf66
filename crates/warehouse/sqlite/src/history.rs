//! Keeps what publishes replace, and the log of publications.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::SqliteConnection;
use uuid::fmt::Hyphenated;
use warehouse_core::engine::publish_time;

use crate::fault::Result;

/// A publish, or the taking back of days, within the caller's transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publish {
    pub(crate) run_id: Hyphenated,
    /// Its time, which no other has.
    pub(crate) at: DateTime<Utc>,
}

impl Publish {
    /// The publish of a run at `now`.
    pub(crate) async fn at(
        connection: &mut SqliteConnection,
        run_id: Hyphenated,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let newest = sqlx::query_file_scalar!("../sql/fact/newest_publish.sql").fetch_one(connection).await?;
        Ok(Self { run_id, at: publish_time(now, newest) })
    }

    /// Keeps the rows that the candidates replace or take away. Call it before they do.
    pub(crate) async fn keep_replaced_rows(self, connection: &mut SqliteConnection) -> Result<()> {
        sqlx::query_file!("sql/fact/keep_replaced_rows.sql", self.run_id, self.at)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Logs the days that the publish has entered into the ledger.
    pub(crate) async fn log(self, connection: &mut SqliteConnection) -> Result<()> {
        sqlx::query_file!("sql/fact/log_publish.sql", self.run_id, self.at).execute(&mut *connection).await?;
        self.note(connection).await
    }

    /// Keeps the rows of days that are taken back, and logs that. Call it before they are.
    pub(crate) async fn keep_days(
        self,
        connection: &mut SqliteConnection,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<()> {
        let Self { run_id, at } = self;
        sqlx::query_file!("sql/retention/keep_rows_of_days.sql", run_id, at, first, last)
            .execute(&mut *connection)
            .await?;
        sqlx::query_file!("sql/retention/log_unpublished_days.sql", run_id, at, first, last)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Notes the publish, which its caller counts in `publish` next. If another one did so
    /// before without keeping history, the state that this one leaves is the first to be on
    /// record.
    pub(crate) async fn note(self, connection: &mut SqliteConnection) -> Result<()> {
        let is_complete = sqlx::query_scalar!(
            r#"SELECT publish = logged_publish AS "is_complete!: bool" FROM warehouse_versions"#
        );
        if !is_complete.fetch_one(&mut *connection).await? {
            sqlx::query_file!("sql/fact/catch_up_log.sql").execute(&mut *connection).await?;
            sqlx::query_file!("sql/fact/catch_up_unpublished.sql", self.run_id, self.at)
                .execute(&mut *connection)
                .await?;
            sqlx::query!("UPDATE warehouse_versions SET history_since = $1", self.at)
                .execute(&mut *connection)
                .await?;
        }
        sqlx::query!(
            "UPDATE warehouse_versions SET newest_publish = $1, logged_publish = publish + 1",
            self.at
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
