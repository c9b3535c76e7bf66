//! Days, windows and points in time.

use chrono::{DateTime, NaiveDate, Utc};
use domain::{
    DateWindow,
    date_window::{InvalidWindow, parse_day},
};
use prost_types::Timestamp;
use proto::stage::v1::DateWindow as DateWindowProto;

use crate::field_violations::FieldViolations;

/// A point in time as a message.
#[must_use]
pub fn timestamp_to_proto(at: DateTime<Utc>) -> Timestamp {
    // A leap second counts beyond a full second, which a Timestamp must not.
    let nanos = at.timestamp_subsec_nanos().min(999_999_999);
    Timestamp { seconds: at.timestamp(), nanos: i32::try_from(nanos).unwrap_or_default() }
}

/// The point in time of a message; `None` if it is not in the calendar.
#[must_use]
pub fn timestamp_from_proto(timestamp: &Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).ok()?)
}

/// Parses the day in a message's field.
///
/// # Errors
/// If it is not a day.
pub fn day_from_proto(field: &'static str, text: &str) -> Result<NaiveDate, FieldViolations> {
    let problem =
        || FieldViolations::of(field, format!("{text:?} is no calendar day of the form YYYY-MM-DD"));
    parse_day(text).ok_or_else(problem)
}

/// A window as a message.
#[must_use]
pub fn window_to_proto(window: DateWindow) -> DateWindowProto {
    DateWindowProto { start_date: window.start().to_string(), end_date: window.end().to_string() }
}

/// The days of a window message.
///
/// # Errors
/// If they are not days, or in the wrong order.
pub fn window_from_proto(window: &DateWindowProto) -> Result<DateWindow, InvalidWindow> {
    DateWindow::parse(&window.start_date, &window.end_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn a_point_in_time_survives_the_way_there_and_back() {
        for text in ["2026-01-30T12:00:00.5Z", "1969-12-31T23:59:59.999999999Z"] {
            let at = instant(text);
            assert_eq!(timestamp_from_proto(&timestamp_to_proto(at)), Some(at), "{text}");
        }
    }

    #[test]
    fn a_leap_second_stays_a_valid_timestamp() {
        assert_eq!(timestamp_to_proto(instant("2016-12-31T23:59:60.25Z")).nanos, 999_999_999);
    }

    #[test]
    fn a_timestamp_beyond_the_calendar_is_none() {
        for (seconds, nanos) in [(i64::MAX, 0), (0, -1)] {
            assert_eq!(timestamp_from_proto(&Timestamp { seconds, nanos }), None);
        }
    }
}
