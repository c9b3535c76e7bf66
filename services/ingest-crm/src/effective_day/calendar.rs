//! The days that a path may contain.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};

/// Years in which an export may take effect; others are typing errors.
pub(super) const YEARS: RangeInclusive<i32> = 1970..=2200;

/// The text in place of a date is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} in its path is no day of the calendar from 1970 to 2200")]
pub(crate) struct NoSuchDay {
    /// The text.
    pub(crate) text: String,
}

/// A day in [`YEARS`].
pub(super) fn calendar_day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    YEARS.contains(&day.year()).then_some(day)
}
