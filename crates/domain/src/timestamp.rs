//! Points in time as CRM exports write them.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, TimeDelta, Utc};

use crate::text::settled;

/// The years that a timestamp may lie in. Others are typos or placeholders such as
/// 0001-01-01 or 9999-12-31.
pub const TIMESTAMP_YEARS: RangeInclusive<i32> = 1970..=2200;

/// Why a text is not a timestamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTimestamp {
    /// None of the cases below.
    #[error("is no timestamp such as 2026-01-31T09:30:00Z")]
    Unknown,
    /// The century is ambiguous.
    #[error("has a two-digit year; write it as 2026-01-31")]
    TwoDigitYear,
    /// Years have no sign.
    #[error("begins with a sign; write it as 2026-01-31")]
    Sign,
    /// A day or month with fewer than two digits: the end may be missing.
    #[error("has a month or day without two digits, so that a part may be missing; write it as 2026-01-31")]
    TornDate,
    /// A date in another order: unambiguous, but not a form we accept.
    #[error("is not in the order year, month, day; write it as {0}")]
    OtherOrder(NaiveDate),
    /// A date in another, ambiguous order.
    #[error("is in doubt: day and month cannot be distinguished; write {0} or {1}")]
    DayOrMonth(NaiveDate, NaiveDate),
    /// Not a calendar day, such as 2026-02-30.
    #[error("is no day of the calendar")]
    NoSuchDay,
    /// Not a time of day, such as 24:00 or a fraction without digits.
    #[error("has no time of day such as 09:30 or 09:30:00.123 after its date")]
    NoSuchTime,
    /// A second 60 where there can be no leap second.
    #[error("has the second 60, which only the last minute of June and December in UTC can have")]
    NoLeapSecond,
    /// Outside [`TIMESTAMP_YEARS`].
    #[error("lies outside the years {} to {}", TIMESTAMP_YEARS.start(), TIMESTAMP_YEARS.end())]
    Year,
    /// A zone name, an offset in another form, or other text after the time.
    #[error("has {0:?} after its time; write an offset such as Z or +01:00")]
    Zone(String),
    /// Seconds since 1970, or fractions of them.
    #[error("looks like a Unix time; export it as 2026-01-31T09:30:00Z")]
    UnixTime,
    /// Days since 1900, as in spreadsheets.
    #[error("looks like a spreadsheet's serial number; format the column as 2026-01-31 before exporting")]
    SpreadsheetSerial,
}

/// Parses a timestamp of a CRM export: date and time in RFC 3339, in ISO 8601's basic
/// form, or as common databases and CRMs write them, with an offset from UTC. Without
/// an offset it is UTC. A date alone means its midnight.
///
/// Truncated to microseconds, the stored precision.
///
/// # Errors
/// If the text is anything else, or ambiguous.
pub fn parse_timestamp(text: &str) -> Result<DateTime<Utc>, InvalidTimestamp> {
    let text = settled(text);
    let mut rest = Scanner { rest: &text };
    let date = match rest.digits() {
        digits if digits.len() == 8 && rest.next_is(|c| matches!(c, 'T' | 't')) => basic_date(digits)?,
        digits => rest.date(digits, &text)?,
    };
    let instant = if rest.is_done() {
        date.and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc()).ok_or(InvalidTimestamp::NoSuchDay)?
    } else {
        rest.instant_on(date)?
    };
    if !TIMESTAMP_YEARS.contains(&instant.year()) {
        return Err(InvalidTimestamp::Year);
    }
    Ok(instant.trunc_subsecs(6))
}

/// Parses a calendar day from digits; checks that the year is plausible.
fn day(year: &str, month: &str, day: &str) -> Result<NaiveDate, InvalidTimestamp> {
    let number = |digits: &str| digits.parse::<u32>().map_err(|_| InvalidTimestamp::Unknown);
    let year = i32::try_from(number(year)?).map_err(|_| InvalidTimestamp::Year)?;
    let date = NaiveDate::from_ymd_opt(year, number(month)?, number(day)?);
    let date = date.ok_or(InvalidTimestamp::NoSuchDay)?;
    if TIMESTAMP_YEARS.contains(&year) { Ok(date) } else { Err(InvalidTimestamp::Year) }
}

fn basic_date(digits: &str) -> Result<NaiveDate, InvalidTimestamp> {
    let (year, rest) = digits.split_at(4);
    let (month, of_month) = rest.split_at(2);
    day(year, month, of_month)
}

/// The rest of the text.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn next_is(&self, wanted: impl Fn(char) -> bool) -> bool {
        self.rest.chars().next().is_some_and(wanted)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn digits(&mut self) -> &'a str {
        let end = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits
    }

    /// Exactly two digits with a value up to `most`.
    fn two_digits(&mut self, most: u32) -> Option<u32> {
        let digits = self.digits();
        let number = digits.parse().ok()?;
        (digits.len() == 2 && number <= most).then_some(number)
    }

    /// The date that begins with `first`, which is already read.
    fn date(&mut self, first: &str, text: &str) -> Result<NaiveDate, InvalidTimestamp> {
        if first.is_empty() {
            let is_signed =
                text.starts_with(['+', '-', '\u{2212}']) && text.contains(|c: char| c.is_ascii_digit());
            return Err(if is_signed { InvalidTimestamp::Sign } else { InvalidTimestamp::Unknown });
        }
        if self.is_done()
            || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.matches('.').count() < 2
        {
            return Err(mere_number(first));
        }
        let Some(separator) = self.rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.')) else {
            return Err(InvalidTimestamp::Unknown);
        };
        self.take(separator);
        let second = self.digits();
        let has_third = self.take(separator);
        let third = self.digits();
        if first.len() != 4 {
            return Err(other_order(first, second, third));
        }
        if !has_third || second.len() != 2 || third.len() != 2 {
            return Err(InvalidTimestamp::TornDate);
        }
        let date = day(first, second, third)?;
        if separator == '-' { Ok(date) } else { Err(InvalidTimestamp::OtherOrder(date)) }
    }

    /// The time of day and the offset.
    fn instant_on(&mut self, date: NaiveDate) -> Result<DateTime<Utc>, InvalidTimestamp> {
        if !self.take('T') && !self.take('t') {
            if !self.next_is(|c| c == ' ') {
                // More text after the date means that it is truncated or in a form that
                // nobody writes.
                return Err(InvalidTimestamp::NoSuchTime);
            }
            self.skip_spaces();
        }
        let (time, second) = self.time_of_day()?;
        let offset = self.offset()?;
        let at =
            date.and_hms_opt(time.hour, time.minute, second.min(59)).ok_or(InvalidTimestamp::NoSuchTime)?;
        let instant = at.and_utc().checked_sub_signed(offset).ok_or(InvalidTimestamp::Year)?;
        let leap = TimeDelta::seconds(i64::from(second == 60));
        if second == 60 && !precedes_leap_second(instant) {
            return Err(InvalidTimestamp::NoLeapSecond);
        }
        instant
            .checked_add_signed(leap + TimeDelta::nanoseconds(time.nanosecond))
            .ok_or(InvalidTimestamp::Year)
    }

    fn time_of_day(&mut self) -> Result<(Time, u32), InvalidTimestamp> {
        let invalid = InvalidTimestamp::NoSuchTime;
        // The basic form has no colons.
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        if matches!(digits, 4 | 6) {
            let (basic, rest) = self.rest.split_at(digits);
            let mut parts = [basic.get(..2), basic.get(2..4), basic.get(4..)]
                .map(|part| Scanner { rest: part.unwrap_or_default() });
            let [hours, minutes, seconds] = &mut parts;
            let second = if digits == 6 { seconds.two_digits(60) } else { Some(0) };
            let (Some(hour), Some(minute), Some(second)) =
                (hours.two_digits(23), minutes.two_digits(59), second)
            else {
                return Err(invalid);
            };
            self.rest = rest;
            let nanosecond = if digits == 6 { self.fraction()? } else { 0 };
            return Ok((Time { hour, minute, nanosecond }, second));
        }
        let hour = self.two_digits(23).ok_or(InvalidTimestamp::NoSuchTime)?;
        if !self.take(':') {
            return Err(invalid);
        }
        let minute = self.two_digits(59).ok_or(InvalidTimestamp::NoSuchTime)?;
        if !self.take(':') {
            return Ok((Time { hour, minute, nanosecond: 0 }, 0));
        }
        let second = self.two_digits(60).ok_or(InvalidTimestamp::NoSuchTime)?;
        Ok((Time { hour, minute, nanosecond: self.fraction()? }, second))
    }

    /// A fraction of a second of any length, in nanoseconds.
    fn fraction(&mut self) -> Result<i64, InvalidTimestamp> {
        if !self.take('.') && !self.take(',') {
            return Ok(0);
        }
        let digits = self.digits();
        if digits.is_empty() {
            return Err(InvalidTimestamp::NoSuchTime);
        }
        let nanoseconds = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
        Ok(nanoseconds.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    /// The offset from UTC at the end of the text.
    fn offset(&mut self) -> Result<TimeDelta, InvalidTimestamp> {
        self.skip_spaces();
        let text = self.rest;
        let unknown = || InvalidTimestamp::Zone(text.chars().take(20).collect());
        if text.is_empty() || ["Z", "UTC", "GMT"].iter().any(|zone| text.eq_ignore_ascii_case(zone)) {
            return Ok(TimeDelta::zero());
        }
        let is_west = match text.as_bytes().first() {
            Some(b'+') => false,
            Some(b'-') => true,
            _ => return Err(unknown()),
        };
        let digits = text.get(1..).unwrap_or_default();
        let (hours, minutes) = match digits.split_once(':') {
            Some(parts) => parts,
            None if digits.len() == 4 => digits.split_at_checked(2).unwrap_or_default(),
            None => (digits, "00"),
        };
        let mut parts = [Scanner { rest: hours }, Scanner { rest: minutes }];
        let [hours, minutes] = &mut parts;
        // No place on earth has a larger offset from UTC.
        let (Some(hour), Some(minute)) = (hours.two_digits(14), minutes.two_digits(59)) else {
            return Err(unknown());
        };
        if !hours.is_done() || !minutes.is_done() {
            return Err(unknown());
        }
        let offset = TimeDelta::minutes(i64::from(hour * 60 + minute));
        Ok(if is_west { -offset } else { offset })
    }

    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }
}

/// A time of day, without its second, which may be 60.
struct Time {
    hour: u32,
    minute: u32,
    nanosecond: i64,
}

/// Leap seconds follow the last second of June or December, in UTC.
fn precedes_leap_second(instant: DateTime<Utc>) -> bool {
    let next = instant + TimeDelta::seconds(1);
    next.time() == chrono::NaiveTime::MIN && next.day() == 1 && matches!(next.month(), 1 | 7)
}

/// What a number on its own most likely is.
fn mere_number(digits: &str) -> InvalidTimestamp {
    match digits.len() {
        5 => InvalidTimestamp::SpreadsheetSerial,
        8 => basic_date(digits).map_or(InvalidTimestamp::Unknown, InvalidTimestamp::OtherOrder),
        9..=10 | 12..=13 | 15..=16 | 18..=19 => InvalidTimestamp::UnixTime,
        _ => InvalidTimestamp::Unknown,
    }
}

/// What is wrong with a date that does not begin with a four-digit year.
fn other_order(first: &str, second: &str, third: &str) -> InvalidTimestamp {
    let short = |digits: &str| matches!(digits.len(), 1 | 2);
    if !short(first) || !short(second) {
        return InvalidTimestamp::Unknown;
    }
    if short(third) {
        return InvalidTimestamp::TwoDigitYear;
    }
    if third.len() != 4 {
        return InvalidTimestamp::Unknown;
    }
    match (day(third, first, second), day(third, second, first)) {
        (Ok(month_first), Ok(day_first)) if month_first == day_first => {
            InvalidTimestamp::OtherOrder(day_first)
        }
        (Ok(month_first), Ok(day_first)) => InvalidTimestamp::DayOrMonth(day_first, month_first),
        (Ok(date), Err(_)) | (Err(_), Ok(date)) => InvalidTimestamp::OtherOrder(date),
        (Err(problem), Err(_)) => problem,
    }
}

#[cfg(test)]
mod tests;
