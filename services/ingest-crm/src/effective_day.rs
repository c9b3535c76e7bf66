//! From which day on a CRM export counts.

mod calendar;
mod day_in_path;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use regex::Regex;

use calendar::{NoSuchDay, calendar_day};
use day_in_path::day_in_path;

/// From which day on an export counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EffectiveDay {
    /// From this one.
    Dated(NaiveDate),
    /// Nothing says so: from the day on which its content is first seen.
    Undated,
}

/// Why a pattern for dates cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum InvalidDatePattern {
    /// It is no regular expression.
    #[error("{0}")]
    Regex(#[from] regex::Error),
    /// A part of the date is missing.
    #[error("there is no group (?<{0}>...); name the groups year, month and day")]
    MissingGroup(&'static str),
}

/// Where dates are in the paths of exports: a regular expression with the groups
/// `year`, `month` and `day`.
#[derive(Debug, Clone)]
pub(crate) struct DatePattern(Regex);

/// What says on which day an export counts.
#[derive(Debug, Clone)]
pub(crate) enum DaySource {
    /// The last date in its path, in any of the usual spellings.
    Path,
    /// The last date in its path that looks like this.
    Pattern(DatePattern),
    /// The UTC day on which the file was last written.
    Modified,
}

impl DaySource {
    /// The day of a file, moved by `offset_days` unless nothing says it.
    ///
    /// # Errors
    /// If what stands in place of a date is none.
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
    /// Takes a regular expression.
    ///
    /// # Errors
    /// If it is none, or has not all groups.
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

/// The day on which an export without a date takes effect if it is first seen in
/// a run over days up to `business_date`. What is seen now says nothing of days
/// before the `newest` one that is published or has a snapshot.
#[must_use]
pub(crate) fn first_seen_day(business_date: NaiveDate, newest: Option<NaiveDate>) -> NaiveDate {
    newest.map_or(business_date, |newest| newest.max(business_date))
}

#[cfg(test)]
mod tests;
