//! How far runs reach: which gaps the schedule heals, and which days are too far from
//! anything published to be intended. Pure rules, the same for every engine.

use chrono::{Datelike, Days, NaiveDate};
use domain::{DateWindow, date_window::MAX_WINDOW_DAYS};

use crate::error::{Error, Result};

/// Years that a business day may lie in. Others are typos.
const PLAUSIBLE_YEARS: std::ops::RangeInclusive<i32> = 1970..=2200;

/// How far back the schedule looks for gaps in the published days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// The first day of history, if configured.
    pub history_start: Option<NaiveDate>,
    /// Otherwise, days further than this from the newest published one do not count,
    /// unless a backfill covered them.
    pub max_reach_days: u64,
}

/// The facts that determine a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishedFacts {
    /// The newest published day up to the end of the window.
    pub newest: Option<NaiveDate>,
    /// The first day of the oldest successful backfill.
    pub oldest_backfilled: Option<NaiveDate>,
}

impl Horizon {
    /// From which day on gaps between published days are healed. `None` if nothing is
    /// published that a run up to `through` could continue.
    #[must_use]
    pub fn heals_from(&self, through: NaiveDate, facts: PublishedFacts) -> Option<NaiveDate> {
        let newest = facts.newest?;
        if let Some(start) = self.history_start {
            return (newest >= start).then_some(start);
        }
        // A single stray day in the distant past does not count.
        let is_near = newest >= back(through, self.max_reach_days);
        let near = is_near.then(|| back(newest, self.max_reach_days));
        [near, facts.oldest_backfilled].into_iter().flatten().min()
    }
}

/// The days of a run up to `through` whose first unpublished day is `first`, within the
/// limit of a window.
///
/// # Errors
/// Never in practice: the days are in order.
pub fn unpublished_window(first: NaiveDate, through: NaiveDate) -> Result<DateWindow> {
    let longest = u64::try_from(MAX_WINDOW_DAYS - 1).unwrap_or_default();
    let first = first.max(back(through, longest)).min(through);
    DateWindow::new(first, through).map_err(|error| Error::Precondition(error.to_string()))
}

/// How far requested days may be from published ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The distance in days.
    pub max_days: u64,
    /// The current day, UTC.
    pub today: NaiveDate,
    /// The oldest and the newest published day, if any.
    pub published: Option<(NaiveDate, NaiveDate)>,
}

/// Why days are not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    /// The day cannot be intended.
    #[error(
        "{day} is no day that can have data: years from {} to {} are run; is the year mistyped?",
        PLAUSIBLE_YEARS.start(), PLAUSIBLE_YEARS.end()
    )]
    Absurd {
        /// The day.
        day: NaiveDate,
    },
    /// The day is far from everything, but may be intended.
    #[error(
        "{day} is {distance} days {from}, more than the {max_days} that --max-reach allows; is the year \
         mistyped? If the day is meant, ask again with --force"
    )]
    Far {
        /// The day.
        day: NaiveDate,
        /// Its distance in days.
        distance: u64,
        /// Where the distance is measured from.
        from: String,
        /// The largest allowed distance in days.
        max_days: u64,
    },
}

impl Reach {
    /// Checks requested days.
    ///
    /// # Errors
    /// For the first day that is out of reach.
    pub fn check(&self, window: DateWindow) -> std::result::Result<(), OutOfReach> {
        for day in [window.start(), window.end()] {
            if !PLAUSIBLE_YEARS.contains(&day.year()) {
                return Err(OutOfReach::Absurd { day });
            }
        }
        let far = |day, distance: i64, from: String| {
            let distance = u64::try_from(distance).unwrap_or_default();
            let max_days = self.max_days;
            if distance > max_days { Err(OutOfReach::Far { day, distance, from, max_days }) } else { Ok(()) }
        };
        match self.published {
            Some((oldest, newest)) => {
                let before = format!("before {oldest}, the oldest published day");
                far(window.start(), (oldest - window.start()).num_days(), before)?;
                let after = format!("after {newest}, the newest published day");
                // A warehouse left alone for years continues with the present.
                let from_today = (self.today - window.start()).num_days();
                if from_today.unsigned_abs() <= self.max_days {
                    return Ok(());
                }
                far(window.end(), (window.end() - newest).num_days(), after)
            }
            None => far(
                window.start(),
                (self.today - window.start()).num_days(),
                "before today, and nothing is published yet".to_owned(),
            ),
        }
    }
}

fn back(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HORIZON: Horizon = Horizon { history_start: None, max_reach_days: 400 };

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn newest(text: &str) -> PublishedFacts {
        PublishedFacts { newest: Some(day(text)), oldest_backfilled: None }
    }

    #[test]
    fn gaps_are_healed_within_reach_of_the_newest_day() {
        let heals_from = |facts| HORIZON.heals_from(day("2026-11-26"), facts);
        assert_eq!(heals_from(newest("2026-11-25")), Some(day("2025-10-21")));
        assert_eq!(heals_from(PublishedFacts::default()), None);
        for stray in ["0001-01-01", "2006-11-24"] {
            assert_eq!(heals_from(newest(stray)), None, "{stray}");
        }
    }

    #[test]
    fn a_backfill_moves_the_horizon_back_and_a_configured_start_fixes_it() {
        let backfilled =
            PublishedFacts { oldest_backfilled: Some(day("2024-01-01")), ..newest("2026-11-25") };
        assert_eq!(HORIZON.heals_from(day("2026-11-26"), backfilled), Some(day("2024-01-01")));
        let start = Horizon { history_start: Some(day("2026-10-01")), ..HORIZON };
        assert_eq!(start.heals_from(day("2026-11-26"), backfilled), Some(day("2026-10-01")));
        assert_eq!(start.heals_from(day("2026-11-26"), newest("2026-09-01")), None);
    }

    #[test]
    fn no_gap_makes_a_window_longer_than_one_may_be() {
        let window = unpublished_window(day("1970-01-02"), day("2026-11-26")).unwrap();
        assert_eq!(i64::try_from(window.len_days()).unwrap(), MAX_WINDOW_DAYS);
        let window = unpublished_window(day("2026-11-24"), day("2026-11-26")).unwrap();
        assert_eq!(window.to_string(), "2026-11-24..2026-11-26");
    }

    #[test]
    fn days_far_from_what_is_published_are_reported_with_the_way_out() {
        let reach = Reach {
            max_days: 400,
            today: day("2026-11-27"),
            published: Some((day("2026-11-20"), day("2026-11-25"))),
        };
        let check = |from: &str, to: &str| reach.check(DateWindow::parse(from, to).unwrap());
        assert_eq!(check("2026-11-24", "2026-11-26"), Ok(()));
        assert_eq!(check("2025-10-16", "2025-10-16"), Ok(()));
        let refused = check("2006-11-24", "2026-11-24").unwrap_err().to_string();
        assert!(refused.starts_with("2006-11-24 is 7301 days before 2026-11-20"), "{refused}");
        assert!(refused.ends_with("ask again with --force"), "{refused}");
        for absurd in ["0001-01-01", "1969-12-31", "2201-01-01"] {
            let refused = check(absurd, absurd).unwrap_err();
            assert!(matches!(refused, OutOfReach::Absurd { .. }), "{refused}");
        }
    }

    #[test]
    fn an_empty_warehouse_refuses_only_the_far_past() {
        let reach = Reach { max_days: 400, today: day("2026-11-27"), published: None };
        assert_eq!(reach.check(DateWindow::day(day("2025-12-01"))), Ok(()));
        assert!(reach.check(DateWindow::day(day("2006-11-24"))).is_err());
    }

    #[test]
    fn a_warehouse_that_was_left_alone_goes_on_with_the_present() {
        let old = Some((day("2020-01-01"), day("2020-02-01")));
        let reach = Reach { max_days: 400, today: day("2026-11-27"), published: old };
        assert_eq!(reach.check(DateWindow::day(day("2026-11-26"))), Ok(()));
        assert!(reach.check(DateWindow::day(day("2023-11-26"))).is_err());
    }
}
