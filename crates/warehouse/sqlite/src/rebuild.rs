//! Days that are computed and written anew because a person asked for it: their rows may differ
//! from what the ledger says of them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::Checksum;
use sqlx::SqliteConnection;
use uuid::Uuid;
use warehouse_core::engine::corrupt;

use crate::{
    checksum::{self, DayChange},
    fault::Result,
};

/// Has the build that starts compute every company of the days that wait to be rebuilt, among
/// them those of the run.
pub(crate) async fn mark(connection: &mut SqliteConnection, run_id: Uuid) -> Result<()> {
    let run_id = run_id.hyphenated();
    sqlx::query_file!("sql/fact/await_rebuild.sql", run_id).execute(&mut *connection).await?;
    if are_waiting(connection).await? {
        sqlx::query_file!("../sql/fact/mark_rebuilt.sql").execute(connection).await?;
    }
    Ok(())
}

/// Whether any days wait to be rebuilt.
pub(crate) async fn are_waiting(connection: &mut SqliteConnection) -> Result<bool> {
    let waiting = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT 1 FROM rebuild_days) AS "waiting!: bool""#);
    Ok(waiting.fetch_one(connection).await?)
}

/// Removes rows of those days that no publish has written. Call it before any are written.
pub(crate) async fn delete_strays(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query_file!("../sql/fact/delete_strays.sql").execute(connection).await?;
    Ok(())
}

/// Replaces the changes to the ledger of rebuilt days: what changed is not known from what the
/// ledger said before. Call it when their rows are written.
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    changes: &mut BTreeMap<NaiveDate, DayChange>,
) -> Result<()> {
    for ledger in sqlx::query_file!("sql/fact/rebuilt_days.sql").fetch_all(&mut *connection).await? {
        let found = checksum::of_day(connection, ledger.day, ledger.version).await?;
        let rows = found.rows - ledger.rows;
        let difference = found.checksum.to_stored() ^ ledger.checksum;
        // A day whose rows changed stays among the changes, even if the ledger needs none.
        if changes.contains_key(&ledger.day) || (rows, difference) != (0, 0) {
            let checksum = Checksum::from_stored(ledger.version, difference).map_err(corrupt)?;
            changes.insert(ledger.day, DayChange { rows, checksum });
        }
    }
    sqlx::query_file!("../sql/fact/clear_rebuilt.sql").execute(connection).await?;
    Ok(())
}
