//! One day over all companies.

use crate::fact::FactRow;

/// Sums over the rows of a day. As a change they may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayTotals {
    /// Sum of active users.
    pub active_users: i64,
    /// Sum of events.
    pub events: i64,
    /// Companies at risk of churn.
    pub churn_risks: i64,
    /// Companies with events on the day.
    pub active_companies: i64,
}

impl DayTotals {
    /// What one row adds.
    #[must_use]
    pub fn of_row(row: &FactRow) -> Self {
        Self {
            active_users: i64::from(row.active_users),
            events: row.events,
            churn_risks: i64::from(row.is_churn_risk),
            active_companies: i64::from(row.events > 0),
        }
    }

    /// The sum; `None` if a number does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_add)
    }

    /// The difference; `None` if a number does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.combine(other, i64::checked_sub)
    }

    fn combine(self, other: Self, numbers: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        Some(Self {
            active_users: numbers(self.active_users, other.active_users)?,
            events: numbers(self.events, other.events)?,
            churn_risks: numbers(self.churn_risks, other.churn_risks)?,
            active_companies: numbers(self.active_companies, other.active_companies)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_unknown_and_not_wrapped() {
        let most = DayTotals { events: i64::MAX, ..DayTotals::default() };
        let one = DayTotals { events: 1, ..DayTotals::default() };
        assert_eq!(most.checked_add(one), None);
        assert_eq!(most.checked_sub(one).unwrap().checked_add(one), Some(most));
        assert_eq!(DayTotals::default().checked_sub(one).unwrap().events, -1);
    }
}
