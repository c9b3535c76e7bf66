//! The days that a path may name.

use std::ops::RangeInclusive;

use chrono::{Datelike, NaiveDate};

/// Years in which an export may take effect; others are slips of a pen.
pub(super) const YEARS: RangeInclusive<i32> = 1970..=2200;

/// What stands where a date would be is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} in its path is no day of the calendar from 1970 to 2200")]
pub(crate) struct NoSuchDay {
    /// What stands there.
    pub(crate) text: String,
}

/// A day in [`YEARS`].
pub(super) fn calendar_day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    YEARS.contains(&day.year()).then_some(day)
}
