//! Closed ranges of UTC calendar days.

use std::{collections::BTreeSet, fmt};

use chrono::{Days, NaiveDate};

/// The most days that one window may cover: about twenty-seven years.
pub const MAX_WINDOW_DAYS: i64 = 10_000;

/// A closed, non-empty range of UTC calendar days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateWindow {
    start: NaiveDate,
    end: NaiveDate,
}

/// Why two days do not form a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWindow {
    /// The days are in the wrong order.
    #[error("the window ends on {end}, before it starts on {start}")]
    EndsBeforeStart {
        /// The first day.
        start: NaiveDate,
        /// The last day.
        end: NaiveDate,
    },
    /// The range is absurd, most likely from a typo in a year.
    #[error("the window {start}..{end} is longer than {MAX_WINDOW_DAYS} days")]
    TooLong {
        /// The first day.
        start: NaiveDate,
        /// The last day.
        end: NaiveDate,
    },
    /// A text is not a day.
    #[error("{field} {text:?} is not a calendar day of the form YYYY-MM-DD")]
    NotADay {
        /// Which of the two days.
        field: &'static str,
        /// The text given.
        text: String,
    },
}

impl DateWindow {
    /// The days from `start` to `end`, both included.
    ///
    /// # Errors
    /// If `end` is before `start` or the range is absurdly long.
    pub fn new(start: NaiveDate, end: NaiveDate) -> Result<Self, InvalidWindow> {
        if end < start {
            return Err(InvalidWindow::EndsBeforeStart { start, end });
        }
        if (end - start).num_days() >= MAX_WINDOW_DAYS {
            return Err(InvalidWindow::TooLong { start, end });
        }
        Ok(Self { start, end })
    }

    /// One day.
    #[must_use]
    pub const fn day(day: NaiveDate) -> Self {
        Self { start: day, end: day }
    }

    /// The days as windows, in order, that have no other day in them.
    #[must_use]
    pub fn covering(days: &BTreeSet<NaiveDate>) -> Vec<Self> {
        let mut windows: Vec<Self> = Vec::new();
        for day in days {
            match windows.last_mut() {
                Some(window) if window.end.succ_opt() == Some(*day) => window.end = *day,
                _ => windows.push(Self::day(*day)),
            }
        }
        windows
    }

    /// Parses two ISO 8601 days.
    ///
    /// # Errors
    /// If either is not a day, and as for [`DateWindow::new`].
    pub fn parse(start: &str, end: &str) -> Result<Self, InvalidWindow> {
        let day = |field, text: &str| {
            parse_day(text).ok_or_else(|| InvalidWindow::NotADay { field, text: text.to_owned() })
        };
        Self::new(day("start_date", start)?, day("end_date", end)?)
    }

    /// The first day.
    #[must_use]
    pub const fn start(&self) -> NaiveDate {
        self.start
    }

    /// The last day, included; a run's business date.
    #[must_use]
    pub const fn end(&self) -> NaiveDate {
        self.end
    }

    /// Whether `day` lies in the window.
    #[must_use]
    pub fn contains(&self, day: NaiveDate) -> bool {
        self.start <= day && day <= self.end
    }

    /// The days in order.
    pub fn days(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        let end = self.end;
        self.start.iter_days().take_while(move |day| *day <= end)
    }

    /// How many days the window covers.
    #[must_use]
    pub fn len_days(&self) -> u64 {
        (self.end - self.start).num_days().unsigned_abs() + 1
    }

    /// The window cut into windows of `days` days; the last may be shorter.
    pub fn chunks(self, days: u64) -> impl Iterator<Item = Self> {
        let step = Days::new(days.max(1));
        let starts = std::iter::successors(Some(self.start), move |start| start.checked_add_days(step));
        starts.take_while(move |start| *start <= self.end).map(move |start| {
            let next = start.checked_add_days(step).and_then(|next| next.pred_opt());
            Self { start, end: next.map_or(self.end, |last| last.min(self.end)) }
        })
    }

    /// The window with its start moved `days` into the past.
    #[must_use]
    pub fn reaching_back(&self, days: u64) -> Self {
        let start = self.start.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN);
        Self { start, end: self.end }
    }
}

impl fmt::Display for DateWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start == self.end {
            write!(f, "{}", self.start)
        } else {
            write!(f, "{}..{}", self.start, self.end)
        }
    }
}

/// Parses exactly `YYYY-MM-DD`; no other spelling passes.
#[must_use]
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let shape_fits = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shape_fits { NaiveDate::parse_from_str(text, "%Y-%m-%d").ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_window_once() {
        let chunks = |start: &str, end: &str, days| -> Vec<String> {
            DateWindow::parse(start, end).unwrap().chunks(days).map(|chunk| chunk.to_string()).collect()
        };
        let expected = ["2026-01-30..2026-01-31", "2026-02-01..2026-02-02", "2026-02-03"];
        assert_eq!(chunks("2026-01-30", "2026-02-03", 2), expected);
        assert_eq!(chunks("2026-01-30", "2026-02-03", 5), ["2026-01-30..2026-02-03"]);
        assert_eq!(chunks("2026-01-30", "2026-01-31", 0), ["2026-01-30", "2026-01-31"]);
    }

    #[test]
    fn days_are_covered_by_windows_without_others_between_them() {
        let covering = |days: &[&str]| -> Vec<String> {
            let days = days.iter().map(|day| parse_day(day).unwrap()).collect();
            DateWindow::covering(&days).iter().map(ToString::to_string).collect()
        };
        let days = ["2026-03-01", "2026-01-31", "2026-02-01", "2026-01-30", "2026-02-03"];
        assert_eq!(covering(&days), ["2026-01-30..2026-02-01", "2026-02-03", "2026-03-01"]);
        assert!(covering(&[]).is_empty());
    }

    #[test]
    fn a_window_holds_both_its_ends() {
        let window = DateWindow::parse("2026-02-27", "2026-03-02").unwrap();
        let days: Vec<String> = window.days().map(|day| day.to_string()).collect();
        assert_eq!(days, ["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02"]);
        assert_eq!(window.len_days(), 4);
    }

    #[test]
    fn lookalike_days_are_refused_by_field() {
        for text in ["2026-2-1", "2026-02-30", " 2026-02-01", "20260201", "+026-02-01"] {
            let error = DateWindow::parse(text, "2026-02-01").unwrap_err();
            assert!(error.to_string().starts_with("start_date"), "{error}");
        }
    }

    #[test]
    fn a_window_that_ends_before_it_starts_is_refused() {
        assert!(DateWindow::parse("2026-02-02", "2026-02-01").is_err());
    }
}
