//! The totals of published days.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{ChecksumVersion, DayTotals};
use sqlx::PgConnection;
use warehouse_core::{DaySummation, Error, engine::DayBefore, stored_totals};

use crate::{database::PostgresWarehouse, fault::Result, publish, rebuild};

/// Takes the totals out of a row of sums, of which only the events may not fit.
macro_rules! summed_totals {
    ($row:expr) => {
        $row.events.map(|events| domain::DayTotals {
            active_users: $row.active_users,
            events,
            churn_risks: $row.churn_risks,
            active_companies: $row.active_companies,
        })
    };
}
pub(crate) use summed_totals;

#[async_trait]
impl DaySummation for PostgresWarehouse {
    async fn days_without_totals(&self) -> Result<u64, Error> {
        self.once(async |connection| {
            let days = sqlx::query_file!("../sql/fact/days_without_totals.sql").fetch_all(connection).await?;
            Ok(u64::try_from(days.len()).unwrap_or(u64::MAX))
        })
        .await
    }

    async fn sum_up_days(&self) -> Result<u64, Error> {
        let days = self.once(async |connection| {
            let days = sqlx::query_file!("../sql/fact/days_without_totals.sql").fetch_all(connection).await?;
            Ok(days.into_iter().map(|row| row.day).collect::<Vec<_>>())
        });
        let mut done = 0;
        for day in days.await? {
            // Nobody waits until a day is read.
            let summed = self.scan(async |connection| sum_up(connection, day).await).await?;
            let Some((content, totals)) = summed else { continue };
            let kept = self.write(async |connection| keep_sum(connection, day, content, totals).await);
            done += u64::from(kept.await?);
        }
        Ok(done)
    }
}

/// The number of a day's rows, their checksum and its version.
type Content = (i64, i64, i32);

/// What the ledger has of a day that nobody has summed up; `None` if somebody has.
async fn without_totals(connection: &mut PgConnection, day: NaiveDate) -> Result<Option<Content>> {
    let days = sqlx::query_file!("../sql/fact/days_without_totals.sql").fetch_all(connection).await?;
    let found = days.into_iter().find(|row| row.day == day);
    Ok(found.map(|row| (row.rows, row.checksum, row.version)))
}

/// Sums a day up if nobody has, and its rows are those of the ledger.
async fn sum_up(connection: &mut PgConnection, day: NaiveDate) -> Result<Option<(Content, DayTotals)>> {
    let Some(ledger) = without_totals(connection, day).await? else { return Ok(None) };
    let (_, _, version) = ledger;
    // What a newer release wrote is for it to sum up.
    let Ok(formula) = ChecksumVersion::from_stored(version) else { return Ok(None) };
    let found = rebuild::content(connection, day, formula).await?;
    let Some(totals) = found.totals else { return Ok(None) };
    let content = (found.rows, found.checksum, version);
    Ok((content == ledger).then_some((content, totals)))
}

/// Keeps the sum of a day if nobody has summed it up, and the ledger still has those rows.
/// Returns whether it did.
async fn keep_sum(
    connection: &mut PgConnection,
    day: NaiveDate,
    content: Content,
    totals: DayTotals,
) -> Result<bool> {
    // No publish comes in between.
    publish::lock_versions(connection).await?;
    if without_totals(connection, day).await? != Some(content) {
        return Ok(false);
    }
    keep(connection, &[(day, totals)].into()).await?;
    Ok(true)
}

/// The days of the build with the totals that they have. Call it before the ledger changes.
pub(crate) async fn before(connection: &mut PgConnection) -> Result<Vec<DayBefore>> {
    let days = sqlx::query_file!("../sql/fact/totals_before.sql").fetch_all(connection).await?;
    Ok(days.into_iter().map(|row| DayBefore::new(row.day, row.is_new, stored_totals!(row))).collect())
}

/// Keeps the totals of the rows that the ledger has of days. Call it when the ledger has them.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    totals: &BTreeMap<NaiveDate, DayTotals>,
) -> Result<()> {
    let days: Vec<NaiveDate> = totals.keys().copied().collect();
    let total = |number: fn(&DayTotals) -> i64| -> Vec<i64> { totals.values().map(number).collect() };
    sqlx::query_file!(
        "sql/fact/keep_totals.sql",
        &days,
        &total(|day| day.active_users),
        &total(|day| day.events),
        &total(|day| day.churn_risks),
        &total(|day| day.active_companies)
    )
    .execute(connection)
    .await?;
    Ok(())
}
