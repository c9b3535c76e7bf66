//! Which days a run requests from the product API.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domain::{DateWindow, usage::CHURN_DAYS};

/// Which days before a run's window to fetch as well.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FetchPlan {
    /// Days before a window to fetch again.
    pub(crate) repoll_days: u64,
    /// The first day of history: nothing earlier is fetched.
    pub(crate) history_start: Option<NaiveDate>,
}

impl FetchPlan {
    /// How far back [`days_to_fetch`](Self::days_to_fetch) looks: the days for
    /// which it needs to know whether they were fetched.
    pub(crate) fn lookback(&self, window: DateWindow) -> DateWindow {
        window.reaching_back(self.repoll_days.max(CHURN_DAYS - 1))
    }

    /// The days to fetch for a run over `window`, in order:
    ///
    /// - every day of the window;
    /// - the `repoll_days` days before it that were already fetched, because
    ///   their data may have come late. They count from the window's start
    ///   rather than its end, so that each day gets its polls even when runs
    ///   were missed;
    /// - the days that the window's first fact reads and that were never fetched.
    ///
    /// Days before the start of history are left out.
    pub(crate) fn days_to_fetch(&self, window: DateWindow, fetched: &BTreeSet<NaiveDate>) -> Vec<NaiveDate> {
        let repolled = window.reaching_back(self.repoll_days);
        let read_by_the_fact = window.reaching_back(CHURN_DAYS - 1);
        let is_wanted = |day| {
            let candidates = if fetched.contains(&day) { repolled } else { read_by_the_fact };
            let is_in_history = self.history_start.is_none_or(|start| day >= start);
            window.contains(day) || (candidates.contains(day) && is_in_history)
        };
        self.lookback(window).days().filter(|day| is_wanted(*day)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: &str, end: &str) -> DateWindow {
        DateWindow::parse(start, end).unwrap()
    }

    fn plan(run: DateWindow, repoll_days: u64, fetched: Option<DateWindow>) -> Vec<String> {
        let fetched = fetched.into_iter().flat_map(|days| days.days()).collect();
        let plan = FetchPlan { repoll_days, history_start: None };
        plan.days_to_fetch(run, &fetched).iter().map(ToString::to_string).collect()
    }

    fn days(window: DateWindow) -> Vec<String> {
        window.days().map(|day| day.to_string()).collect()
    }

    #[test]
    fn the_first_run_fetches_every_day_that_its_fact_reads() {
        let run = window("2026-01-20", "2026-01-21");
        assert_eq!(plan(run, 3, None), days(window("2026-01-07", "2026-01-21")));
    }

    #[test]
    fn a_daily_run_polls_the_last_days_again() {
        let run = window("2026-01-20", "2026-01-20");
        let fetched = window("2025-12-01", "2026-01-19");
        assert_eq!(plan(run, 3, Some(fetched)), days(window("2026-01-17", "2026-01-20")));
        assert_eq!(plan(run, 0, Some(fetched)), ["2026-01-20"]);
    }

    #[test]
    fn a_catch_up_run_still_polls_the_days_before_the_outage() {
        let run = window("2026-01-10", "2026-01-20");
        let fetched = window("2025-12-01", "2026-01-09");
        assert_eq!(plan(run, 2, Some(fetched)), days(window("2026-01-08", "2026-01-20")));
    }

    #[test]
    fn gaps_are_fetched_even_where_their_neighbours_are_not_polled_again() {
        let run = window("2026-01-20", "2026-01-20");
        let fetched = window("2026-01-09", "2026-01-19");
        assert_eq!(plan(run, 1, Some(fetched)), ["2026-01-07", "2026-01-08", "2026-01-19", "2026-01-20"]);
    }

    #[test]
    fn a_long_repoll_never_fetches_for_the_first_time_what_no_fact_reads() {
        let run = window("2026-01-20", "2026-01-20");
        let fetched = window("2026-01-01", "2026-01-19");
        assert_eq!(plan(run, 30, Some(fetched)), days(window("2026-01-01", "2026-01-20")));
    }

    #[test]
    fn days_of_the_window_are_fetched_again_when_a_run_is_replayed() {
        let run = window("2026-01-20", "2026-01-21");
        let fetched = window("2025-12-01", "2026-01-21");
        assert_eq!(plan(run, 0, Some(fetched)), ["2026-01-20", "2026-01-21"]);
    }

    #[test]
    fn nothing_before_the_start_of_history_is_fetched_unless_it_is_asked_for() {
        let start = window("2026-01-18", "2026-01-18").start();
        let plan = FetchPlan { repoll_days: 3, history_start: Some(start) };
        let asked = |run| plan.days_to_fetch(run, &BTreeSet::new()).iter().map(ToString::to_string).collect();
        let after: Vec<String> = asked(window("2026-01-20", "2026-01-20"));
        assert_eq!(after, days(window("2026-01-18", "2026-01-20")));
        let before: Vec<String> = asked(window("2026-01-16", "2026-01-19"));
        assert_eq!(before, days(window("2026-01-16", "2026-01-19")));
    }
}
