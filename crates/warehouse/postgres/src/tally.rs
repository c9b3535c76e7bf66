//! What publishing the candidates does, day by day.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::fault::Result;

/// What happens to the rows of a day.
#[derive(Default)]
struct DayTally {
    new: i64,
    changed: i64,
    equal: i64,
    gone: i64,
    /// The exclusive or of the hashes of the rows that come and go.
    checksum: i64,
}

/// The same of every day that has candidates.
pub(crate) struct Tally(BTreeMap<NaiveDate, DayTally>);

/// What the ledger is told, a day after the other.
#[derive(Default)]
pub(crate) struct LedgerChanges {
    /// The days in which something changes.
    pub(crate) days: Vec<NaiveDate>,
    /// By how many rows.
    pub(crate) rows: Vec<i64>,
    /// Their checksums by what.
    pub(crate) checksums: Vec<i64>,
}

impl Tally {
    /// Counts the candidates of the build's days, `first` to `last`. Reads the
    /// rows that they replace, so this comes before anything is written.
    pub(crate) async fn of(connection: &mut PgConnection, first: NaiveDate, last: NaiveDate) -> Result<Self> {
        let rows = sqlx::query_file!("sql/fact/tally_candidates.sql").fetch_all(&mut *connection).await?;
        let days = rows.into_iter().map(|row| {
            let day = DayTally {
                new: row.new,
                changed: row.changed,
                equal: row.equal,
                gone: row.gone,
                checksum: row.checksum,
            };
            (row.activity_date, day)
        });
        let mut tally = Self(days.collect());
        if tally.changed_rows() + tally.gone_rows() > 0 {
            let leaving = sqlx::query_file!("sql/fact/hash_leaving.sql", first, last);
            for row in leaving.fetch_all(connection).await? {
                tally.0.entry(row.activity_date).or_default().checksum ^= row.checksum;
            }
        }
        Ok(tally)
    }

    pub(crate) fn new_rows(&self) -> i64 {
        self.sum(|day| day.new)
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

    pub(crate) fn ledger_changes(&self) -> LedgerChanges {
        let mut changes = LedgerChanges::default();
        for (day, tally) in self.0.iter().filter(|(_, day)| day.new + day.changed + day.gone > 0) {
            changes.days.push(*day);
            changes.rows.push(tally.new - tally.gone);
            changes.checksums.push(tally.checksum);
        }
        changes
    }
}
