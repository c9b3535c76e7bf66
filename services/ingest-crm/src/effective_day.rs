//! From which day a CRM export takes effect.

mod calendar;
mod day_in_path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use regex::Regex;

use calendar::{NoSuchDay, calendar_day};
use day_in_path::day_in_path;

/// The day from which an export takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectiveDay {
    /// This day.
    Dated(NaiveDate),
    /// No day is given: the day on which its content is first seen.
    Undated,
}

/// Why a date pattern is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum InvalidDatePattern {
    /// It is not a regular expression.
    #[error("{0}")]
    Regex(#[from] regex::Error),
    /// It lacks a part of the date.
    #[error("there is no group (?<{0}>...); name the groups year, month and day")]
    MissingGroup(&'static str),
}

/// Finds dates in the paths of exports: a regular expression with the groups
/// `year`, `month` and `day`.
#[derive(Debug, Clone)]
pub(crate) struct DatePattern(Regex);

/// What determines the day of an export.
#[derive(Debug, Clone)]
pub(crate) enum DaySource {
    /// The last date in its path, in any of the common spellings.
    Path,
    /// The last date in its path that matches this pattern.
    Pattern(DatePattern),
    /// The UTC day of its last modification.
    Modified,
}

impl DaySource {
    /// The day of a file, shifted by `offset_days`, if it has one.
    ///
    /// # Errors
    /// If the text in place of a date is not one.
    pub(crate) fn day_of(
        &self,
        path: &str,
        modified: DateTime<Utc>,
        offset_days: i32,
    ) -> Result<EffectiveDay, NoSuchDay> {
        let day = match self {
            Self::Path => day_in_path(path)?,
            Self::Pattern(pattern) => pattern.day_in(path)?,
            Self::Modified => Some(modified.date_naive()),
        };
        let Some(day) = day else { return Ok(EffectiveDay::Undated) };
        let moved = day.checked_add_signed(TimeDelta::days(i64::from(offset_days)));
        moved
            .map(EffectiveDay::Dated)
            .ok_or_else(|| NoSuchDay { text: format!("{day}, moved by {offset_days} days,") })
    }
}

impl DatePattern {
    /// Parses a regular expression.
    ///
    /// # Errors
    /// If it is not one, or lacks a group.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDatePattern> {
        let regex = Regex::new(text)?;
        for group in ["year", "month", "day"] {
            if !regex.capture_names().flatten().any(|name| name == group) {
                return Err(InvalidDatePattern::MissingGroup(group));
            }
        }
        Ok(Self(regex))
    }

    fn day_in(&self, path: &str) -> Result<Option<NaiveDate>, NoSuchDay> {
        let Some(found) = self.0.captures_iter(path).last() else { return Ok(None) };
        let number = |group| found.name(group).and_then(|text| text.as_str().parse::<u32>().ok());
        let day = match (number("year"), number("month"), number("day")) {
            (Some(year), Some(month), Some(day)) => calendar_day(year, month, day),
            _ => None,
        };
        let text = found.get(0).map_or("", |text| text.as_str());
        day.map(Some).ok_or_else(|| NoSuchDay { text: text.to_owned() })
    }
}

/// The day on which an undated export takes effect if it is first seen in a run
/// over days up to `business_date`. What is seen now says nothing about days
/// before the `newest` one that is published or has a snapshot.
#[must_use]
pub(crate) fn first_seen_day(business_date: NaiveDate, newest: Option<NaiveDate>) -> NaiveDate {
    newest.map_or(business_date, |newest| newest.max(business_date))
}

#[cfg(test)]
mod tests;
