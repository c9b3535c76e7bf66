//! Days that are computed and written anew because a person asked for it: their rows may differ
//! from what the ledger says of them.

use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{fault::Result, tally::LedgerChanges};

/// Has the build that starts compute every company of the days that wait to be rebuilt, among
/// them those of the run.
pub(crate) async fn mark(connection: &mut PgConnection, run_id: Uuid) -> Result<()> {
    sqlx::query_file!("sql/fact/await_rebuild.sql", run_id).execute(&mut *connection).await?;
    if are_waiting(connection).await? {
        sqlx::query_file!("../sql/fact/mark_rebuilt.sql").execute(connection).await?;
    }
    Ok(())
}

/// Whether any days wait to be rebuilt.
pub(crate) async fn are_waiting(connection: &mut PgConnection) -> Result<bool> {
    let waiting = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM rebuild_days) AS "waiting!""#);
    Ok(waiting.fetch_one(connection).await?)
}

/// Removes rows of those days that no publish has written. Call it before any are written.
pub(crate) async fn delete_strays(connection: &mut PgConnection) -> Result<()> {
    sqlx::query_file!("../sql/fact/delete_strays.sql").execute(connection).await?;
    Ok(())
}

/// Replaces the changes to the ledger of rebuilt days: what changed is not known from what the
/// ledger said before. Call it when the rows of the days `first` to `last` are written.
pub(crate) async fn end(
    connection: &mut PgConnection,
    (first, last): (NaiveDate, NaiveDate),
    changes: &mut LedgerChanges,
) -> Result<()> {
    let rebuilt = sqlx::query_file!("sql/fact/rebuilt_days.sql", first, last);
    for day in rebuilt.fetch_all(&mut *connection).await? {
        changes.replace(day.activity_date, day.rows, day.checksum);
    }
    sqlx::query_file!("../sql/fact/clear_rebuilt.sql").execute(connection).await?;
    Ok(())
}
