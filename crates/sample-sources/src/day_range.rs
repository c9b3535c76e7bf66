//! Half-open ranges of days.

use chrono::NaiveDate;

/// Days from the first up to but not including the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRange {
    pub(crate) from: NaiveDate,
    pub(crate) until: NaiveDate,
}

impl DayRange {
    pub(crate) const ALWAYS: Self = Self { from: NaiveDate::MIN, until: NaiveDate::MAX };

    pub(crate) fn contains(self, day: NaiveDate) -> bool {
        self.from <= day && day < self.until
    }
}
