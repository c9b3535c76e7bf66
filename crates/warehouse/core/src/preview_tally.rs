//! Adds up a preview chunk by chunk, so that an engine holds only one chunk and the
//! sample.

use std::{
    cmp,
    collections::{BTreeMap, BTreeSet},
};

use chrono::{NaiveDate, TimeDelta};
use domain::{DateWindow, FactKey, FactRow};

use crate::preview::{CompanyDayChange, DayChanges, PreviewOutcome};

/// How a company-day would change, in the order of a sample: corrections to visible
/// values come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Its values differ.
    Changed,
    /// No longer published.
    Gone,
    /// Not published before.
    New,
}

impl ChangeKind {
    /// The value for a candidate's `change`, or `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "CHANGED" => Some(Self::Changed),
            "GONE" => Some(Self::Gone),
            "NEW" => Some(Self::New),
            _ => None,
        }
    }
}

/// How many rows of a day would change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Rows that would be added.
    pub new: u64,
    /// Rows whose values would change.
    pub changed: u64,
    /// Rows that would be removed.
    pub gone: u64,
}

/// The days between the windows of a backfill, which are in order and do not overlap.
#[must_use]
pub fn days_between(windows: &[DateWindow]) -> Vec<(NaiveDate, NaiveDate)> {
    let pairs = windows.iter().zip(windows.iter().skip(1));
    pairs
        .map(|(before, after)| (before.end() + TimeDelta::days(1), after.start() - TimeDelta::days(1)))
        .collect()
}

/// The sums of a preview so far.
#[derive(Debug)]
pub struct PreviewTally {
    windows: Vec<DateWindow>,
    sample_size: usize,
    counts: BTreeMap<NaiveDate, ChangeCounts>,
    sample: BTreeMap<(ChangeKind, FactKey), CompanyDayChange>,
}

impl PreviewTally {
    /// An empty tally of a backfill over `windows`.
    #[must_use]
    pub fn new(windows: &[DateWindow], sample_size: u32) -> Self {
        Self {
            windows: windows.to_vec(),
            sample_size: usize::try_from(sample_size).unwrap_or(usize::MAX),
            counts: BTreeMap::new(),
            sample: BTreeMap::new(),
        }
    }

    /// Adds a chunk's changes of a day.
    pub fn count(&mut self, day: NaiveDate, of_chunk: ChangeCounts) {
        let counts = self.counts.entry(day).or_default();
        counts.new += of_chunk.new;
        counts.changed += of_chunk.changed;
        counts.gone += of_chunk.gone;
    }

    /// Adds a computed company-day to the sample, if it ranks high enough.
    pub fn sample(&mut self, kind: ChangeKind, computed: FactRow) {
        let key = (kind, computed.key.clone());
        let new = (kind != ChangeKind::Gone).then_some(computed);
        self.sample.insert(key, CompanyDayChange { old: None, new });
        if self.sample.len() > self.sample_size {
            self.sample.pop_last();
        }
    }

    /// The published company-days of the sample whose published row is still missing.
    #[must_use]
    pub fn lacking_old(&self) -> Vec<FactKey> {
        let is_lacking = |((kind, _), change): &(&(ChangeKind, FactKey), &CompanyDayChange)| {
            *kind != ChangeKind::New && change.old.is_none()
        };
        self.sample.iter().filter(is_lacking).map(|((_, key), _)| key.clone()).collect()
    }

    /// Sets the published row of a company-day of the sample.
    pub fn set_old(&mut self, published: FactRow) {
        for kind in [ChangeKind::Changed, ChangeKind::Gone] {
            if let Some(change) = self.sample.get_mut(&(kind, published.key.clone())) {
                change.old = Some(published);
                return;
            }
        }
    }

    /// The first and the last day that the backfill covers or affects; `None` if there
    /// are none.
    #[must_use]
    pub fn bounds(&self) -> Option<(NaiveDate, NaiveDate)> {
        let first = self.windows.first().map(DateWindow::start);
        let last = self.windows.last().map(DateWindow::end);
        let reached = (self.counts.keys().next().copied(), self.counts.keys().next_back().copied());
        let first = first.into_iter().chain(reached.0).reduce(cmp::min)?;
        Some((first, last.into_iter().chain(reached.1).reduce(cmp::max)?))
    }

    /// The outcome, given the number of rows of each published day within
    /// [`bounds`](Self::bounds).
    #[must_use]
    pub fn into_outcome(self, rows_before: &BTreeMap<NaiveDate, u64>, is_outdated: bool) -> PreviewOutcome {
        let asked = self.windows.iter().flat_map(DateWindow::days);
        let days: BTreeSet<NaiveDate> = asked.chain(self.counts.keys().copied()).collect();
        let of_day = |day| {
            let ChangeCounts { new, changed, gone } = self.counts.get(&day).copied().unwrap_or_default();
            let before = rows_before.get(&day).copied();
            let unchanged = before.unwrap_or_default().saturating_sub(changed + gone);
            DayChanges { day, is_published: before.is_some(), new, changed, gone, unchanged }
        };
        let days = days.into_iter().map(of_day).collect();
        let sample = self.sample.into_values().collect();
        PreviewOutcome { days, sample, is_outdated }
    }
}

#[cfg(test)]
mod tests {
    use domain::{CompanyId, date_window::parse_day};

    use super::*;

    fn row(company: &str, day: &str) -> FactRow {
        FactRow::blank(FactKey {
            company_id: CompanyId::parse(company).unwrap(),
            activity_date: parse_day(day).unwrap(),
        })
    }

    #[test]
    fn a_sample_begins_with_what_is_seen_to_change() {
        let mut tally = PreviewTally::new(&[], 3);
        for (kind, company) in [
            (ChangeKind::New, "a"),
            (ChangeKind::Gone, "z"),
            (ChangeKind::Changed, "y"),
            (ChangeKind::New, "b"),
            (ChangeKind::Changed, "x"),
        ] {
            tally.sample(kind, row(company, "2026-01-01"));
        }
        let keys = tally.lacking_old();
        let companies: Vec<&str> = keys.iter().map(|key| key.company_id.as_str()).collect();
        assert_eq!(companies, ["x", "y", "z"]);
        for key in keys {
            tally.set_old(FactRow { events: 7, ..row(key.company_id.as_str(), "2026-01-01") });
        }
        assert!(tally.lacking_old().is_empty());
        let sample = tally.into_outcome(&BTreeMap::new(), false).sample;
        let has_new: Vec<bool> = sample.iter().map(|change| change.new.is_some()).collect();
        assert_eq!(has_new, [true, true, false]);
        assert!(sample.iter().all(|change| change.old.as_ref().unwrap().events == 7));
    }

    #[test]
    fn the_days_between_windows_are_none_of_theirs() {
        let window = |from, to| DateWindow::parse(from, to).unwrap();
        let windows = [window("2026-01-01", "2026-01-02"), window("2026-01-05", "2026-01-05")];
        let between = (parse_day("2026-01-03").unwrap(), parse_day("2026-01-04").unwrap());
        assert_eq!(days_between(&windows), [between]);
        assert_eq!(days_between(&windows[..1]), []);
        assert_eq!(ChangeKind::parse("NEW"), Some(ChangeKind::New));
        assert_eq!(ChangeKind::parse("EQUAL"), None);
    }

    #[test]
    fn what_is_neither_changed_nor_gone_stays_as_it_is() {
        let day = parse_day("2026-01-02").unwrap();
        let mut tally = PreviewTally::new(&[DateWindow::parse("2026-01-01", "2026-01-01").unwrap()], 0);
        let counts = ChangeCounts { new: 1, changed: 1, gone: 1 };
        tally.count(day, counts);
        tally.count(day, counts);
        assert_eq!(tally.bounds(), Some((parse_day("2026-01-01").unwrap(), day)));
        let outcome = tally.into_outcome(&BTreeMap::from([(day, 9)]), true);
        let [asked, reached] = outcome.days.as_slice() else { panic!("{outcome:?}") };
        assert_eq!((asked.is_published, asked.unchanged), (false, 0));
        let expected = DayChanges { day, is_published: true, new: 2, changed: 2, gone: 2, unchanged: 5 };
        assert_eq!(*reached, expected);
        assert!(outcome.is_outdated && outcome.sample.is_empty());
    }
}
