//! Points in time as CRM exports write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Parses a timestamp of a CRM export: RFC 3339 with its offset, or a date and
/// time or a mere date without one, which are then UTC.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))
        .map(|instant| instant.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_honoured_and_their_absence_means_utc() {
        for (text, expected) in [
            ("2026-02-03T22:00:00-05:00", "2026-02-04T03:00:00+00:00"),
            ("2026-01-10 23:59:59", "2026-01-10T23:59:59+00:00"),
            ("2026-01-10 23:59:59+02:00", "2026-01-10T21:59:59+00:00"),
            ("2026-01-10", "2026-01-10T00:00:00+00:00"),
            (" 2026-01-10T08:30 ", "2026-01-10T08:30:00+00:00"),
        ] {
            assert_eq!(parse_timestamp(text).map(|at| at.to_rfc3339()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_timestamp_is_none() {
        for text in ["", "soon", "2026-13-01", "01/02/2026", "1700000000"] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }
}
