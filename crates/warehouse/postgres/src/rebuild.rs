//! Days that a run computes whole and writes anew: their rows may differ from what the ledger says
//! of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use domain::{ChecksumVersion, DateWindow, DayTotals};
use sqlx::PgConnection;
use warehouse_core::{Error, engine::version_to_publish};

use crate::{fault::Result, tally::LedgerChanges, totals::summed_totals};

/// A day that the build rebuilds.
pub(crate) struct RebuiltDay {
    day: NaiveDate,
    /// What the ledger says, if it knows the day: its rows, their checksum and its version.
    ledger: Option<(i64, i64, i32)>,
}

/// Has the build that starts compute every company of those days. Marks of earlier builds go.
pub(crate) async fn mark(connection: &mut PgConnection, days: &BTreeSet<NaiveDate>) -> Result<()> {
    sqlx::query!("DELETE FROM dirty_company_days WHERE is_rebuild").execute(&mut *connection).await?;
    for window in DateWindow::covering(days) {
        sqlx::query_file!("sql/fact/mark_rebuilt.sql", window.start(), window.end())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Checks that every day that the build would publish for the first time has been fetched.
pub(crate) async fn check_fetched(connection: &mut PgConnection) -> Result<()> {
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
pub(crate) async fn begin(connection: &mut PgConnection) -> Result<Vec<RebuiltDay>> {
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
    connection: &mut PgConnection,
    days: &[RebuiltDay],
    changes: &mut LedgerChanges,
) -> Result<BTreeMap<NaiveDate, Option<DayTotals>>> {
    let mut totals = BTreeMap::new();
    for RebuiltDay { day, ledger } in days {
        let Some((rows, checksum, version)) = ledger else { continue };
        let version = version_to_publish(*day, Some(*version))?;
        let found = content(connection, *day, version).await?;
        changes.replace(*day, found.rows - rows, found.checksum ^ checksum);
        totals.insert(*day, found.totals);
    }
    Ok(totals)
}

/// What a day holds.
pub(crate) struct DayContent {
    pub(crate) rows: i64,
    pub(crate) checksum: i64,
    /// `None` if a number does not fit.
    pub(crate) totals: Option<DayTotals>,
}

/// What a day holds, its checksum by a version's formula.
pub(crate) async fn content(
    connection: &mut PgConnection,
    day: NaiveDate,
    version: ChecksumVersion,
) -> Result<DayContent> {
    let found = sqlx::query_file!("sql/fact/content_of_day.sql", day, version.to_stored());
    let found = found.fetch_one(connection).await?;
    Ok(DayContent { rows: found.rows, checksum: found.checksum, totals: summed_totals!(found) })
}
