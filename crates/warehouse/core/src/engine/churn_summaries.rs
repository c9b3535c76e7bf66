//! Summaries that were asked for last: to count a day's companies reads all of its rows, and the
//! answer is the same until they are published anew.

use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;
use domain::Publication;

use crate::{activity::RowsVersion, overview::ChurnSummary};

/// The most summaries that are kept.
const MOST_SUMMARIES: usize = 32;

/// The most groups that all of them have together: one that is large takes the place of many.
const MOST_GROUPS: usize = 20_000;

/// The summaries of the days that were asked for last.
#[derive(Debug, Default)]
pub struct ChurnSummaries(Mutex<Vec<(RowsVersion, ChurnSummary)>>);

impl ChurnSummaries {
    /// The summary of a day, if it is that of these rows of the day and of the day before. Its
    /// publication is the present one: equal rows may have been published again.
    #[must_use]
    pub fn get(&self, publication: &Publication, rows: RowsVersion) -> Option<ChurnSummary> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let day = publication.activity_date;
        let found = kept.iter().position(|(version, one)| is_of(one, day) && *version == rows)?;
        // The last is forgotten last.
        kept[found..].rotate_left(1);
        let (_, summary) = kept.last()?;
        Some(ChurnSummary { publication: publication.clone(), ..summary.clone() })
    }

    /// Keeps a summary instead of the one that other rows of its day had.
    pub fn keep(&self, rows: RowsVersion, summary: &ChurnSummary) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(_, one)| !is_of(one, summary.publication.activity_date));
        kept.push((rows, summary.clone()));
        while kept.len() > MOST_SUMMARIES
            || kept.iter().map(|(_, one)| groups(one)).sum::<usize>() > MOST_GROUPS
        {
            kept.remove(0);
        }
    }
}

const fn groups(summary: &ChurnSummary) -> usize {
    summary.by_country.len() + summary.by_industry.len()
}

fn is_of(summary: &ChurnSummary, day: NaiveDate) -> bool {
    summary.publication.activity_date == day
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::overview::ChurnCounts;

    fn publication(day: i32, run_id: &str) -> Publication {
        Publication {
            activity_date: NaiveDate::from_num_days_from_ce_opt(739_000 + day).unwrap(),
            run_id: run_id.to_owned(),
            published_at: DateTime::UNIX_EPOCH,
            row_count: 1,
            checksum: Ok(domain::Checksum::default()),
        }
    }

    fn version(checksums: i64) -> RowsVersion {
        RowsVersion { days: 2, checksums }
    }

    #[test]
    fn a_summary_is_found_for_its_own_rows_and_names_the_present_publication() {
        let summaries = ChurnSummaries::default();
        summaries.keep(version(1), &ChurnSummary::of(publication(1, "first"), true, vec![]));
        let found = summaries.get(&publication(1, "again"), version(1)).unwrap();
        assert_eq!(found.publication.run_id, "again");
        assert_eq!(summaries.get(&publication(1, "first"), version(2)), None);
        assert_eq!(summaries.get(&publication(2, "first"), version(1)), None);
        summaries.keep(version(2), &ChurnSummary::of(publication(1, "second"), true, vec![]));
        assert_eq!(summaries.get(&publication(1, "first"), version(1)), None);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_stays() {
        let summaries = ChurnSummaries::default();
        for day in 0..32 {
            summaries.keep(version(1), &ChurnSummary::of(publication(day, "run"), true, vec![]));
        }
        assert!(summaries.get(&publication(0, "run"), version(1)).is_some());
        summaries.keep(version(1), &ChurnSummary::of(publication(32, "run"), true, vec![]));
        assert!(summaries.get(&publication(0, "run"), version(1)).is_some());
        assert!(summaries.get(&publication(1, "run"), version(1)).is_none());
    }

    #[test]
    fn summaries_with_many_groups_are_kept_as_long_as_all_of_them_are_few() {
        let summaries = ChurnSummaries::default();
        let with_groups = |day| {
            let mut summary = ChurnSummary::of(publication(day, "run"), true, vec![]);
            summary.by_industry =
                (0..1_000).map(|group| (group.to_string(), ChurnCounts::default())).collect();
            summary
        };
        for day in 0..21 {
            summaries.keep(version(1), &with_groups(day));
        }
        assert!(summaries.get(&publication(0, "run"), version(1)).is_none());
        assert!((1..21).all(|day| summaries.get(&publication(day, "run"), version(1)).is_some()));
    }
}
