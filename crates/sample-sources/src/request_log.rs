//! What the API was asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::NaiveDate;
use domain::DateWindow;

/// Counts the requests for records by the days they asked for: those with valid
/// parameters and the right token, whether or not a fault then hit them.
///
/// Clones share one log, so a test can keep a clone and read it while the API serves.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    counts: Arc<Mutex<BTreeMap<(NaiveDate, NaiveDate), u64>>>,
}

impl RequestLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests (pages, that is) asked for `day`, alone or among others.
    #[must_use]
    pub fn requests(&self, day: NaiveDate) -> u64 {
        let covers = |(start, end): &(NaiveDate, NaiveDate)| *start <= day && day <= *end;
        self.lock().iter().filter(|(window, _)| covers(window)).map(|(_, count)| count).sum()
    }

    /// How many requests there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    pub(crate) fn record(&self, window: DateWindow) {
        *self.lock().entry((window.start(), window.end())).or_default() += 1;
    }

    /// A panic elsewhere cannot leave a count half-changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(NaiveDate, NaiveDate), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_for_every_day_it_asks_for() {
        let log = RequestLog::new();
        let day = |text| domain::date_window::parse_day(text).unwrap();
        for (start, end) in
            [("2026-01-01", "2026-01-03"), ("2026-01-03", "2026-01-03"), ("2026-01-03", "2026-01-03")]
        {
            log.clone().record(DateWindow::parse(start, end).unwrap());
        }
        let counts = ["2025-12-31", "2026-01-01", "2026-01-03"].map(|text| log.requests(day(text)));
        assert_eq!(counts, [0, 1, 3]);
        assert_eq!(log.total(), 3);
    }
}
