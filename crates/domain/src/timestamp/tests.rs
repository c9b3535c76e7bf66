//! What parses as a timestamp, and the messages for what does not.

use chrono::{FixedOffset, SecondsFormat};
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> String {
    match parse_timestamp(text) {
        Ok(instant) => instant.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        Err(problem) => format!("{text:?} {problem}"),
    }
}

#[test]
fn timestamps_of_common_programs_are_read() {
    for (text, expected) in [
        ("2026-02-03T22:00:00-05:00", "2026-02-04T03:00:00Z"),
        ("2026-01-10 23:59:59+02:00", "2026-01-10T21:59:59Z"),
        ("2026-01-31t09:30:00z", "2026-01-31T09:30:00Z"),
        // Postgres, with and without fraction
        ("2026-01-31 09:30:00+00", "2026-01-31T09:30:00Z"),
        ("2026-01-31 09:30:00.123+00", "2026-01-31T09:30:00.123Z"),
        ("2026-01-31 09:30:00.123456-05", "2026-01-31T14:30:00.123456Z"),
        ("2026-01-31 09:30:00+05:30", "2026-01-31T04:00:00Z"),
        // SQL Server
        ("2026-01-31 09:30:00 +00:00", "2026-01-31T09:30:00Z"),
        ("2026-01-31 09:30:00.0000000 +00:00", "2026-01-31T09:30:00Z"),
        ("2026-01-31 09:30:00.1234567 +01:00", "2026-01-31T08:30:00.123456Z"),
        // Salesforce
        ("2026-01-31T09:30:00.000+0000", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30:00.000-0500", "2026-01-31T14:30:00Z"),
        // BigQuery
        ("2026-01-31 09:30:00 UTC", "2026-01-31T09:30:00Z"),
        ("2026-01-31 09:30:00.000000 UTC", "2026-01-31T09:30:00Z"),
        ("2026-01-31 09:30:00 GMT", "2026-01-31T09:30:00Z"),
        // HubSpot
        ("2026-01-31 09:30", "2026-01-31T09:30:00Z"),
        ("2026-01-31T09:30Z", "2026-01-31T09:30:00Z"),
        // ISO 8601, basic form
        ("20260131T093000Z", "2026-01-31T09:30:00Z"),
        ("20260131T093000.5+0100", "2026-01-31T08:30:00.500Z"),
        ("20260131T0930", "2026-01-31T09:30:00Z"),
        // Go and Python, which write nanoseconds or a comma
        ("2026-01-31T09:30:00.123456789Z", "2026-01-31T09:30:00.123456Z"),
        ("2026-01-31 09:30:00,5", "2026-01-31T09:30:00.500Z"),
        // Dates, and what may surround a cell
        ("2026-01-10", "2026-01-10T00:00:00Z"),
        ("\u{feff} 2026-01-10T08:30\u{a0}", "2026-01-10T08:30:00Z"),
        // Leap seconds, which become the midnight that follows
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00Z"),
        ("2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00Z"),
        ("2015-06-30T23:59:60.5Z", "2015-07-01T00:00:00.500Z"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn what_leaves_doubt_is_refused_with_the_way_out() {
    for (text, expected) in [
        ("26-01-31", "has a two-digit year; write it as 2026-01-31"),
        ("01/31/26", "has a two-digit year"),
        ("-2026-01-31", "begins with a sign"),
        ("+2026-01-31", "begins with a sign"),
        ("2026-01-3", "has a month or day without two digits"),
        ("2026-1-31", "has a month or day without two digits"),
        ("2026-01-", "has a month or day without two digits"),
        ("2026-01", "has a month or day without two digits"),
        ("2026-01-310", "has a month or day without two digits"),
        ("2026-01-31 09:30:60", "has the second 60"),
        ("2026-12-31T23:59:60-05:00", "has the second 60"),
        ("2026-01-31T23:59:60Z", "has the second 60"),
        ("1969-12-31", "lies outside the years 1970 to 2200"),
        ("0001-01-01 00:00:00", "lies outside the years"),
        ("9999-12-31", "lies outside the years"),
        ("1970-01-01T00:00:00+01:00", "lies outside the years"),
        ("2200-12-31T23:30:00-01:00", "lies outside the years"),
        ("01/02/2026", "is in doubt: day and month cannot be distinguished; write 2026-02-01 or 2026-01-02"),
        ("1.2.2026 09:30", "is in doubt: day and month cannot be distinguished"),
        ("31.01.2026", "is not in the order year, month, day; write it as 2026-01-31"),
        ("01/31/2026", "is not in the order year, month, day; write it as 2026-01-31"),
        ("2026/01/31", "is not in the order year, month, day; write it as 2026-01-31"),
        ("20260131", "is not in the order year, month, day; write it as 2026-01-31"),
        ("2026-02-30", "is no day of the calendar"),
        ("2026-13-01", "is no day of the calendar"),
        ("2026-01-31T24:00:00Z", "has no time of day"),
        ("2026-01-31T09:30:00.Z", "has no time of day"),
        ("2026-01-31T9:30", "has no time of day"),
        ("2026-01-31T", "has no time of day"),
        ("2026-01-31Z", "has no time of day"),
        ("2026-01-31x09:30", "has no time of day"),
        ("2026-01-31 09:30 PM", "has \"PM\" after its time"),
        ("2026-01-31 09:30:00 CET", "has \"CET\" after its time; write an offset such as Z or +01:00"),
        ("2026-01-31T09:30:00[Europe/Berlin]", "has \"[Europe/Berlin]\" after its time"),
        ("2026-01-31T09:30:00+1", "has \"+1\" after its time"),
        ("2026-01-31T09:30:00+99:00", "has \"+99:00\" after its time"),
        ("1700000000", "looks like a Unix time"),
        ("1700000000000", "looks like a Unix time"),
        ("1700000000.5", "looks like a Unix time"),
        ("46053", "looks like a spreadsheet's serial number"),
        ("46053.395833", "looks like a spreadsheet's serial number"),
        ("", "is no timestamp such as 2026-01-31T09:30:00Z"),
        ("soon", "is no timestamp"),
        ("n/a", "is no timestamp"),
        ("Sat Jan 31 2026", "is no timestamp"),
        ("-", "is no timestamp"),
    ] {
        assert!(read(text).starts_with(&format!("{text:?} {expected}")), "{}", read(text));
    }
}

/// An instant in the allowed years, and an offset to write it with.
fn instants() -> impl Strategy<Value = (DateTime<FixedOffset>, u32)> {
    (86_400_i64..7_258_032_000, 0_u32..1_000_000_000, -14 * 60..=14 * 60).prop_map(
        |(seconds, nanos, minutes)| {
            let offset = FixedOffset::east_opt(minutes * 60).unwrap();
            (DateTime::from_timestamp(seconds, nanos).unwrap().with_timezone(&offset), nanos)
        },
    )
}

proptest! {
    #[test]
    fn every_spelling_of_an_instant_means_that_instant((at, _) in instants()) {
        let expected = Ok(at.to_utc().trunc_subsecs(6));
        for format in [
            "%Y-%m-%dT%H:%M:%S%.9f%:z",
            "%Y-%m-%d %H:%M:%S%.9f%z",
            "%Y-%m-%d %H:%M:%S%.9f %:z",
            "%Y%m%dT%H%M%S%.9f%z",
        ] {
            let text = at.format(format).to_string();
            prop_assert_eq!(&parse_timestamp(&text), &expected, "{}", text);
        }
        let utc = at.to_utc();
        for format in ["%Y-%m-%d %H:%M:%S%.9f", "%Y-%m-%d %H:%M:%S%.9f UTC", "%Y-%m-%dT%H:%M:%S%.9fZ"] {
            let text = utc.format(format).to_string();
            prop_assert_eq!(&parse_timestamp(&text), &expected, "{}", text);
        }
    }

    #[test]
    fn a_timestamp_that_lost_its_end_is_never_another_day((at, _) in instants(), cut in 0_usize..25) {
        let text = at.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let torn = &text[..cut.min(text.len())];
        if let Ok(read) = parse_timestamp(torn) {
            prop_assert_eq!(read.date_naive(), at.to_utc().date_naive(), "{}", torn);
        }
    }

    #[test]
    fn no_text_makes_it_panic_and_no_result_lies_outside_the_years(text in "[-0-9T:+. /ZUTC\u{feff}]{0,30}|\\PC{0,30}") {
        if let Ok(read) = parse_timestamp(&text) {
            prop_assert!(TIMESTAMP_YEARS.contains(&read.year()));
            prop_assert_eq!(read, read.trunc_subsecs(6));
        }
    }
}
