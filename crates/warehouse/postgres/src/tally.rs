//! What publishing the candidates does, day by day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::{ChecksumVersion, DayTotals};
use sqlx::PgConnection;
use warehouse_core::{
    engine::{TotalsChanges, version_to_publish},
    stored_totals,
};

use crate::{fault::Result, totals::summed_totals};

/// How the rows of a day change.
struct DayTally {
    new: i64,
    changed: i64,
    equal: i64,
    gone: i64,
    /// The XOR of the hashes of added and removed rows.
    checksum: i64,
    /// By what the totals change; `None` if a number does not fit.
    totals: Option<DayTotals>,
    /// Whether that was known before the publish.
    is_counted: bool,
}

impl Default for DayTally {
    fn default() -> Self {
        let totals = Some(DayTotals::default());
        Self { new: 0, changed: 0, equal: 0, gone: 0, checksum: 0, totals, is_counted: false }
    }
}

/// The changes of every day that has candidates.
pub(crate) struct Tally(BTreeMap<NaiveDate, DayTally>);

/// The changes to the ledger, one entry per day.
#[derive(Default)]
pub(crate) struct LedgerChanges {
    /// The days that change.
    pub(crate) days: Vec<NaiveDate>,
    /// The change in the number of rows.
    pub(crate) rows: Vec<i64>,
    /// The value to XOR into the checksum.
    pub(crate) checksums: Vec<i64>,
}

impl LedgerChanges {
    /// Sets the changes of a day. A day that is among them already stays so, because its rows
    /// changed, even if the ledger needs no change.
    pub(crate) fn replace(&mut self, day: NaiveDate, rows: i64, checksum: i64) {
        if let Some(at) = self.days.iter().position(|known| *known == day) {
            (self.rows[at], self.checksums[at]) = (rows, checksum);
        } else if (rows, checksum) != (0, 0) {
            self.days.push(day);
            self.rows.push(rows);
            self.checksums.push(checksum);
        }
    }
}

impl Tally {
    /// Counts the candidates of the build's days, `first` to `last`, unless that is done.
    /// Reads the rows that they replace, so call it before anything is written.
    ///
    /// # Errors
    /// If a published day changes whose checksum is of an unknown version.
    pub(crate) async fn of(connection: &mut PgConnection, first: NaiveDate, last: NaiveDate) -> Result<Self> {
        let written = ChecksumVersion::WRITTEN.to_stored();
        let (mut tally, mut others) = (Self(BTreeMap::new()), Vec::new());
        let days = sqlx::query_file!("sql/fact/counted_days.sql", written);
        for row in days.fetch_all(&mut *connection).await? {
            let (Some(new), Some(checksum)) = (row.rows, row.checksum) else {
                others.push(row.activity_date);
                continue;
            };
            let totals = stored_totals!(row).into_totals();
            let day = DayTally { new, checksum, totals, is_counted: true, ..DayTally::default() };
            tally.0.insert(row.activity_date, day);
        }
        if !others.is_empty() {
            let others = Self::of_days(connection, &others).await?;
            tally.0.extend(others.0);
        }
        if tally.changed_rows() + tally.gone_rows() > 0 {
            let leaving = sqlx::query_file!("sql/fact/hash_leaving.sql", first, last);
            for row in leaving.fetch_all(connection).await? {
                let day = tally.0.entry(row.activity_date).or_default();
                day.checksum ^= row.checksum;
                let leaving = summed_totals!(row);
                day.totals =
                    day.totals.zip(leaving).and_then(|(coming, leaving)| coming.checked_sub(leaving));
            }
        }
        Ok(tally)
    }

    /// Counts the rows that come and go on those days, and hashes the former.
    async fn of_days(connection: &mut PgConnection, days: &[NaiveDate]) -> Result<Self> {
        let written = ChecksumVersion::WRITTEN.to_stored();
        let mut tally = Self(BTreeMap::new());
        let rows = sqlx::query_file!("sql/fact/tally_candidates.sql", written, days);
        for row in rows.fetch_all(connection).await? {
            if row.new + row.changed + row.gone > 0 {
                version_to_publish(row.activity_date, row.checksum_version)?;
            }
            let day = DayTally {
                new: row.new,
                changed: row.changed,
                equal: row.equal,
                gone: row.gone,
                checksum: row.checksum,
                totals: summed_totals!(row),
                is_counted: false,
            };
            tally.0.insert(row.activity_date, day);
        }
        Ok(tally)
    }

    /// Counts and hashes the candidates of new `days` for a later publish.
    pub(crate) async fn count(connection: &mut PgConnection, days: &[NaiveDate]) -> Result<()> {
        let tally = Self::of_days(connection, days).await?;
        let none = DayTally::default();
        let of_days = || days.iter().map(|day| tally.0.get(day).unwrap_or(&none));
        let rows: Vec<i64> = of_days().map(|day| day.new).collect();
        let checksums: Vec<i64> = of_days().map(|day| day.checksum).collect();
        let total = |number: fn(DayTotals) -> i64| -> Vec<Option<i64>> {
            of_days().map(|day| day.totals.map(number)).collect()
        };
        sqlx::query_file!(
            "sql/fact/keep_counts.sql",
            days,
            &rows,
            &checksums,
            ChecksumVersion::WRITTEN.to_stored(),
            &total(|day| day.active_users) as &[Option<i64>],
            &total(|day| day.events) as &[Option<i64>],
            &total(|day| day.churn_risks) as &[Option<i64>],
            &total(|day| day.active_companies) as &[Option<i64>]
        )
        .execute(connection)
        .await?;
        Ok(())
    }

    pub(crate) fn new_rows(&self) -> i64 {
        self.sum(|day| day.new)
    }

    /// How many of the new rows are in months that were complete before the publish.
    pub(crate) fn counted_rows(&self) -> i64 {
        self.sum(|day| if day.is_counted { day.new } else { 0 })
    }

    pub(crate) fn changed_rows(&self) -> i64 {
        self.sum(|day| day.changed)
    }

    pub(crate) fn equal_rows(&self) -> i64 {
        self.sum(|day| day.equal)
    }

    pub(crate) fn gone_rows(&self) -> i64 {
        self.sum(|day| day.gone)
    }

    fn sum(&self, count: impl Fn(&DayTally) -> i64) -> i64 {
        self.0.values().map(count).sum()
    }

    /// The days whose rows change.
    fn changing(&self) -> impl Iterator<Item = (NaiveDate, &DayTally)> {
        let changing = self.0.iter().filter(|(_, day)| day.new + day.changed + day.gone > 0);
        changing.map(|(day, tally)| (*day, tally))
    }

    /// By what the totals of days change.
    pub(crate) fn totals_changes(&self) -> TotalsChanges {
        let by = self.changing().map(|(day, tally)| (day, tally.totals)).collect();
        TotalsChanges { by, ..TotalsChanges::default() }
    }

    pub(crate) fn ledger_changes(&self) -> LedgerChanges {
        let mut changes = LedgerChanges::default();
        for (day, tally) in self.changing() {
            changes.days.push(day);
            changes.rows.push(tally.new - tally.gone);
            changes.checksums.push(tally.checksum);
        }
        changes
    }
}
