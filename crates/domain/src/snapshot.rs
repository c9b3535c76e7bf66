//! From which day on a CRM export counts.

use chrono::{NaiveDate, TimeDelta};

/// The day on which an export takes effect: the newest-looking date in its file
/// name (`YYYY-MM-DD` or `YYYYMMDD`, the last one if there are several) plus
/// `offset_days`, or `business_date` if the name holds none.
#[must_use]
pub fn effective_on(file_name: &str, offset_days: i32, business_date: NaiveDate) -> NaiveDate {
    match date_in(file_name) {
        Some(date) => {
            date.checked_add_signed(TimeDelta::days(i64::from(offset_days))).unwrap_or(business_date)
        }
        None => business_date,
    }
}

/// The last date written in a file name. Digits next to a date make it part of
/// a longer number, which is no date.
fn date_in(file_name: &str) -> Option<NaiveDate> {
    let bytes = file_name.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).rev().find_map(|start| {
        [("%Y-%m-%d", 10), ("%Y%m%d", 8)].into_iter().find_map(|(format, len)| {
            let end = start + len;
            let stands_alone = (start == 0 || !is_digit(start - 1)) && !is_digit(end);
            let text = file_name.get(start..end)?;
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            if stands_alone && digits == 8 { NaiveDate::parse_from_str(text, format).ok() } else { None }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        crate::date_window::parse_day(text).unwrap()
    }

    #[test]
    fn the_date_in_the_name_counts() {
        let business_date = day("2026-05-05");
        for (name, expected) in [
            ("companies_2026-02-01.csv", "2026-02-01"),
            ("companies-20260201.csv", "2026-02-01"),
            ("20260201T060000.csv", "2026-02-01"),
            ("from_2026-01-01_to_2026-02-01.csv", "2026-02-01"),
            ("companies.csv", "2026-05-05"),
            ("export_120260201.csv", "2026-05-05"),
            ("companies_2026-02-31.csv", "2026-05-05"),
        ] {
            assert_eq!(effective_on(name, 0, business_date), day(expected), "{name}");
        }
    }

    #[test]
    fn the_offset_moves_dated_files_only() {
        let business_date = day("2026-05-05");
        assert_eq!(effective_on("c_2026-03-01.csv", -1, business_date), day("2026-02-28"));
        assert_eq!(effective_on("c.csv", -1, business_date), business_date);
    }
}
