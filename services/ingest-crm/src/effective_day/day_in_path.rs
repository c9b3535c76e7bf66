//! Dates in paths, in their common spellings.

use chrono::NaiveDate;

use super::calendar::{NoSuchDay, YEARS, calendar_day};

/// A year, month and day in place of a date.
struct Candidate<'path> {
    /// Where it starts.
    at: usize,
    text: &'path str,
    day: Option<NaiveDate>,
}

/// The last date in a path: `2026-02-01` (also with `_` or `.`), `20260201`,
/// either of them directly followed by a time of day, folders `2026/02/01/`, or
/// `year=2026/month=02/day=01/`. Adjacent digits make it part of a longer
/// number, which is not a date; neither are ambiguous forms.
///
/// # Errors
/// If the last one is not a calendar day.
pub(super) fn day_in_path(path: &str) -> Result<Option<NaiveDate>, NoSuchDay> {
    let path = &without_escapes(path);
    let within = (0..path.len()).rev().find_map(|at| joined(path, at).or_else(|| folders(path, at)));
    let last = match (within, keyed_folders(path)) {
        (Some(within), Some(keyed)) if keyed.at > within.at => Some(keyed),
        (within, keyed) => within.or(keyed),
    };
    match last {
        None => Ok(None),
        Some(Candidate { day: Some(day), .. }) => Ok(Some(day)),
        Some(Candidate { text, .. }) => Err(NoSuchDay { text: text.to_owned() }),
    }
}

/// Object stores escape some characters as `%20`, whose digits are not part of a date.
fn without_escapes(path: &str) -> String {
    let mut plain = path.as_bytes().to_vec();
    for at in 0..plain.len() {
        let escape = plain.get(at..at + 3).filter(|text| text.starts_with(b"%"));
        if escape.is_some_and(|text| text.iter().skip(1).all(u8::is_ascii_hexdigit)) {
            plain.iter_mut().skip(at).take(3).for_each(|byte| *byte = b' ');
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// A date in one piece, starting at `at`.
fn joined(path: &str, at: usize) -> Option<Candidate<'_>> {
    let begins_a_number = at == 0 || !is_digit(path, at - 1);
    let year = digits(path, at, 4).filter(|_| begins_a_number)?;
    let separator = path.as_bytes().get(at + 4).filter(|byte| b"-_.".contains(byte));
    let (month_at, day_at, end) = match separator {
        Some(separator) if path.as_bytes().get(at + 7) == Some(separator) => (at + 5, at + 8, at + 10),
        Some(_) => return None,
        None => (at + 4, at + 6, at + 8),
    };
    let (month, day) = (digits(path, month_at, 2)?, digits(path, day_at, 2)?);
    if !ends_or_has_a_time(path, end) {
        return None;
    }
    let candidate = Candidate { at, text: path.get(at..end)?, day: calendar_day(year, month, day) };
    // Eight digits can be many things; with separators they almost always mean a date.
    let is_meant = if separator.is_some() { year >= 1000 } else { may_be_meant(year, month, day) };
    is_meant.then_some(candidate)
}

/// Folders of year, month and day, the first of which starts at `at`. The last
/// may be the file itself.
fn folders(path: &str, at: usize) -> Option<Candidate<'_>> {
    if at > 0 && path.as_bytes().get(at - 1) != Some(&b'/') {
        return None;
    }
    let mut segments = path.get(at..)?.splitn(4, '/');
    let (year, month, day) = (segments.next()?, segments.next()?, segments.next()?);
    let stem = if segments.next().is_some() { day } else { day.split_once('.')?.0 };
    let text = path.get(at..at + year.len() + month.len() + stem.len() + 2)?;
    let (year, month, day) = (whole(year, 4..=4)?, whole(month, 1..=2)?, whole(stem, 1..=2)?);
    may_be_meant(year, month, day).then(|| Candidate { at, text, day: calendar_day(year, month, day) })
}

/// Folders that name the year, the month and the day.
fn keyed_folders(path: &str) -> Option<Candidate<'_>> {
    let (mut at, mut begin) = (0, 0);
    let (mut year, mut month) = (None, None);
    let mut found = None;
    for segment in path.split('/') {
        if let Some((key, value)) = segment.split_once('=') {
            let key = key.to_ascii_lowercase();
            let is = |name: &str, short: &[&str]| key.ends_with(name) || short.contains(&key.as_str());
            if is("year", &["y", "yyyy"]) {
                (year, month, begin) = (whole(value, 4..=4), None, at);
            } else if is("month", &["m", "mm"]) {
                month = whole(value, 1..=2);
            } else if is("day", &["d", "dd"])
                && let (Some(year), Some(month), Some(day)) = (year, month, whole(value, 1..=2))
            {
                let text = path.get(begin..at + segment.len()).unwrap_or_default();
                found = Some(Candidate { at: begin, text, day: calendar_day(year, month, day) });
            }
        }
        at += segment.len() + 1;
    }
    found
}

/// Whether a number looks like a date, even one that does not exist.
fn may_be_meant(year: u32, month: u32, day: u32) -> bool {
    i32::try_from(year).is_ok_and(|year| YEARS.contains(&year))
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
}

/// Whether the number ends at `end`, or continues with hours and minutes,
/// perhaps with seconds and fractions.
fn ends_or_has_a_time(path: &str, end: usize) -> bool {
    let rest = (end..path.len()).take_while(|at| is_digit(path, *at)).count();
    let below = |at, limit| digits(path, at, 2).is_some_and(|number| number < limit);
    match rest {
        0 => true,
        4 => below(end, 24) && below(end + 2, 60),
        6.. => below(end, 24) && below(end + 2, 60) && below(end + 4, 61),
        _ => false,
    }
}

fn is_digit(path: &str, at: usize) -> bool {
    path.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
}

fn digits(path: &str, at: usize, count: usize) -> Option<u32> {
    path.get(at..at + count).and_then(|text| whole(text, count..=count))
}

/// A text of exactly this many digits.
fn whole(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let is_number = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
