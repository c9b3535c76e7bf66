//! The stage's progress, reported by days that are fetched concurrently.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use chrono::NaiveDate;
use domain::{Counters, Progress};
use runtime::stage::ProgressSink;

use crate::page::PageRef;

/// Adds up the stage's work, and reports it at every step.
pub(crate) struct ProgressMeter {
    progress: Mutex<Progress>,
    sink: ProgressSink,
}

impl ProgressMeter {
    /// A meter for `days` days.
    pub(crate) fn new(days: usize, sink: ProgressSink) -> Self {
        let progress = Progress { units_total: days as u64, ..Progress::default() };
        Self { progress: Mutex::new(progress), sink }
    }

    /// Counts a fetched page.
    pub(crate) fn page_fetched(&self, at: PageRef, bytes: u64) {
        self.step(|progress| {
            progress.counters.bytes_read += bytes;
            progress.activity = at.to_string();
        });
    }

    /// Counts a staged day. Bytes are counted as they come from the source, not as they are read back.
    pub(crate) fn day_loaded(&self, day: NaiveDate, loaded: Counters) {
        self.step(|progress| {
            progress.counters += Counters { bytes_read: 0, ..loaded };
            progress.units_done += 1;
            progress.activity = format!("{day} loaded");
        });
    }

    /// Reports a day that the product API does not know.
    pub(crate) fn day_unknown(&self, day: NaiveDate) {
        self.step(|progress| {
            progress.units_done += 1;
            progress.activity = format!("{day} unknown to the product API");
        });
    }

    /// Counts records compared with what is staged.
    pub(crate) fn rows_compared(&self, read: u64, rejected: u64) {
        self.step(|progress| {
            progress.counters.rows_read += read;
            progress.counters.rows_rejected += rejected;
        });
    }

    /// Reports a day whose records are all compared.
    pub(crate) fn day_compared(&self, day: NaiveDate) {
        self.step(|progress| {
            progress.units_done += 1;
            progress.activity = format!("{day} compared");
        });
    }

    /// The sums so far.
    pub(crate) fn counters(&self) -> Counters {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).counters
    }

    fn step(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        // Reported under the lock, so that an older state never overtakes a newer one.
        (self.sink)(progress.clone());
    }
}

impl fmt::Debug for ProgressMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressMeter").field("progress", &self.progress).finish_non_exhaustive()
    }
}
