//! Which days a backfill runs, and in which chunks.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::DateWindow;

/// The runs of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackfillPlan {
    /// Its runs in order: each covers contiguous days, oldest first.
    pub(crate) chunks: Vec<Chunk>,
    /// The requested days, run or not.
    pub(crate) days_total: u64,
}

/// The days of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// The days.
    pub(crate) window: DateWindow,
    /// Whether to run them even if a run over the same days has succeeded.
    pub(crate) is_rerun: bool,
}

/// Why a day is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// It was requested.
    All,
    /// It is not published, or its newest run failed.
    Open {
        /// The days that are published.
        published: BTreeSet<NaiveDate>,
        /// The days whose newest run failed, published or not.
        failed: BTreeSet<NaiveDate>,
    },
}

impl BackfillPlan {
    /// The selected days of `window` in chunks of at most `chunk_days`. A day
    /// that is not selected ends a chunk.
    pub(crate) fn new(window: DateWindow, chunk_days: u64, selection: &Selection) -> Self {
        let mut chunks: Vec<Chunk> = Vec::new();
        for day in window.days().filter(|day| selection.includes(*day)) {
            let is_rerun = selection.reruns(day);
            let extended = chunks.last().and_then(|chunk| extended(chunk.window, day, chunk_days));
            match (chunks.last_mut(), extended) {
                (Some(chunk), Some(window)) => {
                    *chunk = Chunk { window, is_rerun: chunk.is_rerun || is_rerun };
                }
                _ => chunks.push(Chunk { window: DateWindow::day(day), is_rerun }),
            }
        }
        Self { chunks, days_total: window.len_days() }
    }

    /// The days that need no run.
    pub(crate) fn days_done(&self) -> u64 {
        self.days_total - self.chunks.iter().map(|chunk| chunk.window.len_days()).sum::<u64>()
    }
}

impl Selection {
    fn includes(&self, day: NaiveDate) -> bool {
        match self {
            Self::All => true,
            Self::Open { published, failed } => !published.contains(&day) || failed.contains(&day),
        }
    }

    /// A day that failed after it was published may have a succeeded run over
    /// the same days, which would make a new one look unnecessary.
    fn reruns(&self, day: NaiveDate) -> bool {
        match self {
            Self::All => true,
            Self::Open { failed, .. } => failed.contains(&day),
        }
    }
}

/// `window` extended by `day`, unless `day` is not the next or the chunk is full.
fn extended(window: DateWindow, day: NaiveDate, chunk_days: u64) -> Option<DateWindow> {
    let is_next = window.end().succ_opt() == Some(day);
    (is_next && window.len_days() < chunk_days).then(|| DateWindow::new(window.start(), day).ok())?
}

#[cfg(test)]
mod tests {
    use chrono::Days;
    use domain::date_window::parse_day;
    use proptest::prelude::*;

    use super::*;

    fn days(texts: &[&str]) -> BTreeSet<NaiveDate> {
        texts.iter().map(|text| parse_day(text).unwrap()).collect()
    }

    fn reported(plan: &BackfillPlan) -> Vec<(String, bool)> {
        plan.chunks.iter().map(|chunk| (chunk.window.to_string(), chunk.is_rerun)).collect()
    }

    #[test]
    fn gaps_and_failed_days_are_run_and_published_ones_are_not() {
        let window = DateWindow::parse("2026-02-01", "2026-02-10").unwrap();
        let selection = Selection::Open {
            published: days(&["2026-02-01", "2026-02-02", "2026-02-04", "2026-02-05", "2026-02-09"]),
            failed: days(&["2026-02-04", "2026-02-10"]),
        };
        let plan = BackfillPlan::new(window, 31, &selection);
        assert_eq!(
            reported(&plan),
            [
                ("2026-02-03..2026-02-04".to_owned(), true),
                ("2026-02-06..2026-02-08".to_owned(), false),
                ("2026-02-10".to_owned(), true),
            ]
        );
        assert_eq!((plan.days_done(), plan.days_total), (4, 10));
    }

    #[test]
    fn force_runs_every_day() {
        let window = DateWindow::parse("2026-02-01", "2026-02-05").unwrap();
        let plan = BackfillPlan::new(window, 2, &Selection::All);
        let expected = ["2026-02-01..2026-02-02", "2026-02-03..2026-02-04", "2026-02-05"];
        assert_eq!(reported(&plan), expected.map(|chunk| (chunk.to_owned(), true)));
        assert_eq!(plan.days_done(), 0);
    }

    proptest! {
        #[test]
        fn chunks_hold_every_selected_day_once_and_no_other(
            length in 0_u64..400,
            chunk_days in 1_u64..60,
            published in prop::collection::btree_set(0_u64..400, 0..200),
        ) {
            let start = parse_day("2026-01-01").unwrap();
            let window = DateWindow::new(start, start + Days::new(length)).unwrap();
            let published: BTreeSet<_> = published.into_iter().map(|day| start + Days::new(day)).collect();
            let selection = Selection::Open { published: published.clone(), failed: BTreeSet::new() };
            let plan = BackfillPlan::new(window, chunk_days, &selection);
            prop_assert!(plan.chunks.iter().all(|chunk| chunk.window.len_days() <= chunk_days));
            let run: Vec<_> = plan.chunks.iter().flat_map(|chunk| chunk.window.days()).collect();
            let open: Vec<_> = window.days().filter(|day| !published.contains(day)).collect();
            prop_assert_eq!(run, open);
        }
    }
}
