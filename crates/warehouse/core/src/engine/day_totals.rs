//! The totals of the days that a publish changes.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::DayTotals;

/// How the rows of days change; `None` where a number does not fit.
#[derive(Debug, Default)]
pub struct TotalsChanges {
    /// By what the totals of days change, of those whose rows change.
    pub by: BTreeMap<NaiveDate, Option<DayTotals>>,
    /// The totals of days that were summed up whole.
    pub whole: BTreeMap<NaiveDate, Option<DayTotals>>,
}

/// A day of a build before its publish.
#[derive(Debug, Clone, Copy)]
pub struct DayBefore {
    /// The day.
    pub day: NaiveDate,
    /// Whether it is published for the first time.
    pub is_new: bool,
    /// The totals of exactly the rows that it has; `None` if they are not known.
    pub totals: Option<DayTotals>,
}

impl DayBefore {
    /// Takes the totals of a row of `day_totals`, of which all columns are there, or none.
    #[must_use]
    pub fn new(day: NaiveDate, is_new: bool, totals: StoredTotals) -> Self {
        Self { day, is_new, totals: totals.into_totals() }
    }
}

/// The columns of a row of `day_totals` that may be missing.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the columns are those of the totals")]
pub struct StoredTotals {
    pub active_users: Option<i64>,
    pub events: Option<i64>,
    pub churn_risks: Option<i64>,
    pub active_companies: Option<i64>,
}

impl StoredTotals {
    /// The totals, if they are all there.
    #[must_use]
    pub fn into_totals(self) -> Option<DayTotals> {
        Some(DayTotals {
            active_users: self.active_users?,
            events: self.events?,
            churn_risks: self.churn_risks?,
            active_companies: self.active_companies?,
        })
    }
}

/// Takes the [`StoredTotals`] out of a row with more columns, as [`fact_record!`](crate::fact_record) does.
#[macro_export]
macro_rules! stored_totals {
    ($row:expr) => {
        $crate::engine::StoredTotals {
            active_users: $row.active_users,
            events: $row.events,
            churn_risks: $row.churn_risks,
            active_companies: $row.active_companies,
        }
    };
}

impl TotalsChanges {
    /// The totals that the days of a build have after its publish, of those that change and whose
    /// totals are known. A day whose totals were not known before, and that is not summed up
    /// whole, stays without; one without a change keeps those that it has.
    #[must_use]
    pub fn after(&self, days: &[DayBefore]) -> BTreeMap<NaiveDate, DayTotals> {
        let after = days.iter().filter_map(|before| {
            let totals = if let Some(whole) = self.whole.get(&before.day) {
                (*whole)?
            } else if before.is_new {
                self.by.get(&before.day).copied().unwrap_or(Some(DayTotals::default()))?
            } else {
                let change = self.by.get(&before.day)?;
                before.totals?.checked_add((*change)?)?
            };
            Some((before.day, totals))
        });
        after.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(events: i64) -> DayTotals {
        DayTotals { events, ..DayTotals::default() }
    }

    #[test]
    fn totals_are_known_as_far_as_they_were() {
        let day = |number| NaiveDate::from_num_days_from_ce_opt(739_000 + number).unwrap();
        let before = |number, is_new, totals| DayBefore { day: day(number), is_new, totals };
        let days = [
            before(0, true, None),
            before(1, true, None),
            before(2, false, Some(events(5))),
            before(3, false, None),
            before(4, false, None),
            before(5, false, Some(events(i64::MAX))),
            before(6, false, Some(events(6))),
            before(7, true, None),
        ];
        let changes = TotalsChanges {
            by: [
                (day(0), Some(events(1))),
                (day(2), Some(events(-2))),
                (day(3), Some(events(3))),
                (day(5), Some(events(1))),
                (day(7), None),
            ]
            .into(),
            whole: [(day(4), Some(events(44)))].into(),
        };
        let after = changes.after(&days);
        let found: Vec<_> =
            after.iter().map(|(on, totals)| ((*on - day(0)).num_days(), totals.events)).collect();
        assert_eq!(found, [(0, 1), (1, 0), (2, 3), (4, 44)]);
    }
}
