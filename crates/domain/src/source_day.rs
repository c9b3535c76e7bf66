//! Calendar days as sources write them.

use chrono::{NaiveDate, NaiveTime};

use crate::{date_window::parse_day, text::settled, timestamp::parse_timestamp};

/// Parses a UTC calendar day: `2026-01-31`, optionally with midnight as its time and
/// UTC as its offset. Any other time of day leaves the day in doubt.
#[must_use]
pub fn parse_source_day(text: &str) -> Option<NaiveDate> {
    let text = settled(text);
    let without_offset = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(&text);
    parse_day(without_offset).or_else(|| {
        let instant = parse_timestamp(&text).ok()?;
        (instant.time() == NaiveTime::MIN).then(|| instant.date_naive())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_read_with_the_time_of_its_midnight_and_no_other() {
        let day = parse_day("2026-01-31");
        for text in [
            "2026-01-31",
            " 2026-01-31 ",
            "2026-01-31Z",
            "2026-01-31+00:00",
            "2026-01-31T00:00:00Z",
            "2026-01-31T00:00:00.000Z",
            "2026-01-31T00:00:00",
            "2026-01-31 00:00:00+00:00",
            "2026-01-31T02:00:00+02:00",
        ] {
            assert_eq!(parse_source_day(text), day, "{text}");
        }
        for text in [
            "2026-01-31T00:00:01Z",
            "2026-01-31T23:59:59Z",
            "2026-01-31T00:00:00+02:00",
            "2026-01-31+02:00",
            "31.01.2026",
            "01/02/2026",
            "26-01-31",
            "2026-1-31",
            "2026-02-30",
            "20260131",
            "1769817600",
            "",
        ] {
            assert_eq!(parse_source_day(text), None, "{text}");
        }
    }
}
