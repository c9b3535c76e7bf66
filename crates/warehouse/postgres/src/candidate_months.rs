//! New months of a build: their candidates have tables of their own, which a publish
//! attaches to the fact as they are.

use chrono::NaiveDate;
use futures::{TryStreamExt, stream};
use sqlx::{Executor, PgConnection};
use warehouse_core::{Error, Fence};

use crate::{build, database::PostgresWarehouse, fault::Result, fence, tally::Tally};

/// A new month whose candidates are all there.
pub(crate) struct Month {
    first_day: NaiveDate,
    /// Its new days.
    days: Vec<NaiveDate>,
}

impl PostgresWarehouse {
    /// Does for the new months of a build what would take long where others wait: counts,
    /// hashes and indexes their candidates. No chunk may be under way.
    pub(crate) async fn complete_months(&self, fence: &Fence, months: Vec<Month>) -> Result<(), Error> {
        let completed = months.into_iter().map(|month| Ok::<_, Error>(self.complete_month(fence, month)));
        stream::iter(completed).try_buffer_unordered(self.concurrent_chunks()).try_collect().await
    }

    /// Two transactions, so that none locks a month for its indexes while it may wait for
    /// another one's to be counted.
    async fn complete_month(&self, fence: &Fence, month: Month) -> Result<(), Error> {
        self.write(async |connection| {
            build::hold_candidates(connection, fence).await?;
            Tally::count(connection, &month.days).await?;
            fence::hold(connection, fence).await
        })
        .await?;
        self.write(async |connection| {
            build::hold_candidates(connection, fence).await?;
            connection.execute("SET LOCAL maintenance_work_mem = '256MB'").await?;
            sqlx::query!("SELECT index_candidate_month($1)", month.first_day)
                .execute(&mut *connection)
                .await?;
            fence::hold(connection, fence).await
        })
        .await
    }
}

/// Discards all candidates.
pub(crate) async fn discard(connection: &mut PgConnection) -> Result<()> {
    connection.execute("SELECT drop_candidate_months()").await?;
    connection.execute("TRUNCATE fact_build_days, fact_candidates").await?;
    Ok(())
}

/// The new months of the build.
pub(crate) async fn to_complete(connection: &mut PgConnection) -> Result<Vec<Month>> {
    let months = sqlx::query_file!("sql/fact/months_to_complete.sql").fetch_all(connection).await?;
    Ok(months
        .into_iter()
        .map(|row| Month { first_day: row.month, days: row.days.unwrap_or_default() })
        .collect())
}
