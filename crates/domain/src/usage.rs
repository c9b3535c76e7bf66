//! Product usage as the API reports it.

use std::fmt;

use chrono::{Days, NaiveDate};

use crate::{
    company::CompanyId, date_window::DateWindow, rejection::RejectionReason, source_day::parse_source_day,
};

/// Days over which daily active users are summed, the day itself included.
pub const ROLLING_USERS_DAYS: u64 = 7;

/// Days without any event that make a company a churn risk, the day itself included.
/// Also how far back a day's fact reads.
pub const CHURN_DAYS: u64 = 14;

/// One company's usage on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The company.
    pub company_id: CompanyId,
    /// The UTC calendar day.
    pub date: NaiveDate,
    /// Users active on the day, never negative.
    pub active_users: i32,
    /// Events recorded on the day, never negative.
    pub events: i64,
}

/// A company's usage on a day, whoever says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageNumbers {
    /// Users active on the day.
    pub active_users: i32,
    /// Events recorded on the day.
    pub events: i64,
}

impl UsageNumbers {
    /// Whether they say that nothing happened.
    #[must_use]
    pub const fn are_zero(self) -> bool {
        self.active_users == 0 && self.events == 0
    }
}

impl fmt::Display for UsageNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "active_users {}, events {}", self.active_users, self.events)
    }
}

impl UsageRecord {
    /// The record's numbers.
    #[must_use]
    pub const fn numbers(&self) -> UsageNumbers {
        UsageNumbers { active_users: self.active_users, events: self.events }
    }

    /// Checks one record of the API against the requested days.
    ///
    /// # Errors
    /// The reason to quarantine the record.
    pub fn check(
        company_id: &str,
        date: &str,
        active_users: i64,
        events: i64,
        asked: DateWindow,
    ) -> Result<Self, RejectionReason> {
        let company_id = CompanyId::parse(company_id).map_err(RejectionReason::CompanyId)?;
        let date = parse_source_day(date).ok_or_else(|| RejectionReason::Field {
            field: "date",
            problem: format!("{date:?} is not a calendar day of the form YYYY-MM-DD"),
        })?;
        if !asked.contains(date) {
            return Err(RejectionReason::DateOutsideWindow { date, asked });
        }
        let count = |field, value: i64| {
            if value < 0 { Err(RejectionReason::NegativeCount { field, value }) } else { Ok(value) }
        };
        let active_users =
            i32::try_from(count("active_users", active_users)?).map_err(|_| RejectionReason::Field {
                field: "active_users",
                problem: format!("{active_users} is more than {}", i32::MAX),
            })?;
        Ok(Self { company_id, date, active_users, events: count("events", events)? })
    }
}

/// The page of an answer on which a record stood, both from 1. `page_ends` are the numbers of
/// the last record of each page. They say nothing of an answer that has not as many `records`:
/// a program that does not know them leaves those of an earlier answer.
#[must_use]
pub fn page_of(page_ends: &[u64], line: u64, records: u64) -> Option<u64> {
    let is_within = (1..=records).contains(&line) && page_ends.last() == Some(&records);
    is_within.then(|| page_ends.partition_point(|end| *end < line) as u64 + 1)
}

/// The days whose fact reads the usage of `day`: `[day, day + 13]`.
#[must_use]
pub fn days_affected_by(day: NaiveDate) -> DateWindow {
    let end = day.checked_add_days(Days::new(CHURN_DAYS - 1)).unwrap_or(NaiveDate::MAX);
    DateWindow::new(day, end).unwrap_or(DateWindow::day(day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date_window::parse_day;

    fn check(date: &str, active_users: i64, events: i64) -> Result<UsageRecord, RejectionReason> {
        let asked = DateWindow::parse("2026-01-01", "2026-01-02").unwrap();
        UsageRecord::check("acme", date, active_users, events, asked)
    }

    #[test]
    fn a_record_inside_the_asked_days_is_accepted() {
        assert_eq!(check("2026-01-02", 3, i64::MAX).unwrap().events, i64::MAX);
    }

    #[test]
    fn a_record_that_breaks_the_contract_is_rejected_with_its_reason() {
        for (record, reason) in [
            (check("2026-01-03", 1, 1), "date 2026-01-03 lies outside"),
            (check("2026-01-01", -1, 1), "active_users is negative: -1"),
            (check("2026-01-01", 1, -7), "events is negative: -7"),
            (check("2026-01-01", 1 << 40, 1), "active_users: 1099511627776 is more than"),
            (check("yesterday", 1, 1), "date: \"yesterday\" is not a calendar day"),
        ] {
            let text = record.unwrap_err().to_string();
            assert!(text.starts_with(reason), "{text}");
        }
    }

    #[test]
    fn a_record_stands_on_the_page_that_ends_with_it_or_after_it() {
        // The third page repeated the second.
        let pages: Vec<Option<u64>> = (0..=6).map(|line| page_of(&[2, 4, 4, 5], line, 5)).collect();
        assert_eq!(pages, [None, Some(1), Some(1), Some(2), Some(2), Some(4), None]);
        // Of another answer, and of none.
        assert_eq!((page_of(&[2, 4, 4, 5], 1, 6), page_of(&[], 1, 5)), (None, None));
    }

    #[test]
    fn usage_of_a_day_reaches_thirteen_days_on() {
        let day = parse_day("2026-02-20").unwrap();
        assert_eq!(days_affected_by(day).to_string(), "2026-02-20..2026-03-05");
    }
}
