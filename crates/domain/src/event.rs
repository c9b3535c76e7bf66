//! Single events, for sources that report them besides the daily sums.

use chrono::{Months, NaiveDate};

use crate::{company::CompanyId, rejection::RejectionReason, source_day::parse_source_day};

/// The longest accepted event identifier, in characters.
pub const MAX_EVENT_ID_CHARS: usize = 256;

/// The first day that may have events.
pub const EARLIEST_EVENT_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2000, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// The last day that may have events in a file written on `written_on` and read by a
/// run with that business date: a year after the later of the two. A later day is a
/// defect, and no reason to make room for it in storage.
#[must_use]
pub fn latest_event_day(business_date: NaiveDate, written_on: NaiveDate) -> NaiveDate {
    business_date.max(written_on).checked_add_months(Months::new(12)).unwrap_or(NaiveDate::MAX)
}

/// An event's identifier, unique within its company and day.
///
/// Never empty, without surrounding white space or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(String);

impl EventId {
    /// Parses an identifier as a source wrote it; surrounding white space is dropped.
    ///
    /// # Errors
    /// If nothing is left, it is too long or has a control character.
    pub fn parse(text: &str) -> Result<Self, RejectionReason> {
        let text = text.trim();
        let problem = if text.is_empty() {
            "is empty".to_owned()
        } else if text.chars().count() > MAX_EVENT_ID_CHARS {
            format!("is longer than {MAX_EVENT_ID_CHARS} characters")
        } else if text.chars().any(char::is_control) {
            "has a control character".to_owned()
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(RejectionReason::Field { field: "event_id", problem })
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One record of an event file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The company.
    pub company_id: CompanyId,
    /// The UTC calendar day.
    pub date: NaiveDate,
    /// Identifies the event among the company's events of that day.
    pub event_id: EventId,
    /// How many events the record stands for, never negative; zero retracts an earlier
    /// record.
    pub events: i64,
}

impl EventRecord {
    /// Checks one record; `latest` is the last day it may have, see [`latest_event_day`].
    ///
    /// # Errors
    /// The reason to quarantine the record.
    pub fn check(
        company_id: &str,
        date: &str,
        event_id: &str,
        events: i64,
        latest: NaiveDate,
    ) -> Result<Self, RejectionReason> {
        let company_id = CompanyId::parse(company_id).map_err(RejectionReason::CompanyId)?;
        let date = parse_source_day(date).ok_or_else(|| RejectionReason::Field {
            field: "date",
            problem: format!("{date:?} is not a calendar day of the form YYYY-MM-DD"),
        })?;
        if date < EARLIEST_EVENT_DAY || date > latest {
            return Err(RejectionReason::NoEventDay { date, earliest: EARLIEST_EVENT_DAY, latest });
        }
        let event_id = EventId::parse(event_id)?;
        if events < 0 {
            return Err(RejectionReason::NegativeCount { field: "events", value: events });
        }
        Ok(Self { company_id, date, event_id, events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date_window::parse_day;

    fn day(text: &str) -> NaiveDate {
        parse_day(text).unwrap()
    }

    fn check(date: &str, event_id: &str, events: i64) -> Result<EventRecord, RejectionReason> {
        EventRecord::check("acme", date, event_id, events, day("2027-02-28"))
    }

    #[test]
    fn a_record_on_a_sensible_day_is_accepted() {
        for date in ["2000-01-01", "2027-02-28"] {
            let record = check(date, " e-1 ", i64::MAX).unwrap();
            assert_eq!((record.date, record.event_id.as_str(), record.events), (day(date), "e-1", i64::MAX));
        }
    }

    #[test]
    fn a_record_that_breaks_the_contract_is_rejected_with_its_reason() {
        let long = "x".repeat(MAX_EVENT_ID_CHARS + 1);
        for (record, reason) in [
            (check("1999-12-31", "e", 1), "date 1999-12-31 lies outside 2000-01-01..2027-02-28"),
            (check("2027-03-01", "e", 1), "date 2027-03-01 lies outside 2000-01-01..2027-02-28"),
            (check("2026-02-30", "e", 1), "date: \"2026-02-30\" is not a calendar day"),
            (check("2026-01-01", " ", 1), "event_id: is empty"),
            (check("2026-01-01", &long, 1), "event_id: is longer than 256 characters"),
            (check("2026-01-01", "a\u{0}b", 1), "event_id: has a control character"),
            (check("2026-01-01", "e", -1), "events is negative: -1"),
            (EventRecord::check("", "2026-01-01", "e", 1, day("2027-02-28")), "company_id is empty"),
        ] {
            let text = record.unwrap_err().to_string();
            assert!(text.starts_with(reason), "{text}");
        }
    }

    #[test]
    fn a_file_or_a_run_of_long_ago_does_not_make_new_events_impossible() {
        for (business_date, written_on) in [("2020-01-01", "2026-02-28"), ("2026-02-28", "1970-01-01")] {
            assert_eq!(latest_event_day(day(business_date), day(written_on)), day("2027-02-28"));
        }
        assert_eq!(latest_event_day(day("2024-02-29"), day("2024-02-29")), day("2025-02-28"));
    }
}
