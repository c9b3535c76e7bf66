//! Days that a run computes whole and writes anew: their rows may differ from what the ledger says
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use domain::{Checksum, DateWindow, DayTotals};
use sqlx::SqliteConnection;
use warehouse_core::{
    Error,
    engine::{corrupt, version_to_publish},
};

use crate::{
    checksum::{self, DayChange},
    fault::Result,
};

/// A day that the build rebuilds.
pub(crate) struct RebuiltDay {
    day: NaiveDate,
    /// What the ledger says, if it knows the day: its rows, their checksum and its version.
    ledger: Option<(i64, i64, i32)>,
}

/// Has the build that starts compute every company of those days. Marks of earlier builds go.
pub(crate) async fn mark(connection: &mut SqliteConnection, days: &BTreeSet<NaiveDate>) -> Result<()> {
    sqlx::query!("DELETE FROM dirty_company_days WHERE is_rebuild").execute(&mut *connection).await?;
    for window in DateWindow::covering(days) {
        sqlx::query_file!("sql/fact/mark_rebuilt.sql", window.start(), window.end())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Checks that every day that the build would publish for the first time has been fetched.
pub(crate) async fn check_fetched(connection: &mut SqliteConnection) -> Result<()> {
    match sqlx::query_file_scalar!("../sql/fact/never_fetched.sql").fetch_one(connection).await? {
        Some(day) => Err(Error::never_fetched(day).into()),
        None => Ok(()),
    }
}

/// The days that the build rebuilds. Removes rows of theirs that no publish has written; call it
/// before any are written.
///
/// # Errors
/// If the checksum of a day is of an unknown version.
pub(crate) async fn begin(connection: &mut SqliteConnection) -> Result<Vec<RebuiltDay>> {
    let mut days = Vec::new();
    for row in sqlx::query_file!("../sql/fact/rebuilt_days.sql").fetch_all(&mut *connection).await? {
        let ledger = match (row.rows, row.checksum, row.version) {
            (Some(rows), Some(checksum), Some(version)) if !row.is_new => {
                version_to_publish(row.day, Some(version))?;
                Some((rows, checksum, version))
            }
            _ => {
                sqlx::query_file!("../sql/fact/delete_strays.sql", row.day).execute(&mut *connection).await?;
                None
            }
        };
        days.push(RebuiltDay { day: row.day, ledger });
    }
    Ok(days)
}

/// Replaces the changes to the ledger of published days: what changed is not known from what the
/// ledger said before. Returns the totals of these days. Call it when their rows are written.
pub(crate) async fn end(
    connection: &mut SqliteConnection,
    days: &[RebuiltDay],
    changes: &mut BTreeMap<NaiveDate, DayChange>,
) -> Result<BTreeMap<NaiveDate, Option<DayTotals>>> {
    let mut totals = BTreeMap::new();
    for RebuiltDay { day, ledger } in days {
        let Some((rows, checksum, version)) = *ledger else { continue };
        let found = checksum::of_day(connection, *day, version).await?;
        let rows = found.rows - rows;
        let difference = found.checksum.to_stored() ^ checksum;
        // A day whose rows changed stays among the changes, even if the ledger needs none.
        if changes.contains_key(day) || (rows, difference) != (0, 0) {
            let checksum = Checksum::from_stored(version, difference).map_err(corrupt)?;
            changes.insert(*day, DayChange { rows, checksum, totals: found.totals });
        }
        totals.insert(*day, found.totals);
    }
    Ok(totals)
}
