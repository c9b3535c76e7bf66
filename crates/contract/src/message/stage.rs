//! The counters and progress of stages.

use domain::{Counters, Progress};
use proto::stage::v1::{StageCounters, StageProgress};

/// Counters as a message.
#[must_use]
pub const fn counters_to_proto(counters: &Counters) -> StageCounters {
    StageCounters {
        rows_read: counters.rows_read,
        rows_written: counters.rows_written,
        rows_unchanged: counters.rows_unchanged,
        rows_duplicate: counters.rows_duplicate,
        rows_rejected: counters.rows_rejected,
        rows_removed: counters.rows_removed,
        bytes_read: counters.bytes_read,
    }
}

/// The counters of a message.
#[must_use]
pub const fn counters_from_proto(counters: &StageCounters) -> Counters {
    Counters {
        rows_read: counters.rows_read,
        rows_written: counters.rows_written,
        rows_unchanged: counters.rows_unchanged,
        rows_duplicate: counters.rows_duplicate,
        rows_rejected: counters.rows_rejected,
        rows_removed: counters.rows_removed,
        bytes_read: counters.bytes_read,
    }
}

/// Progress as a message.
#[must_use]
pub fn progress_to_proto(progress: &Progress) -> StageProgress {
    StageProgress {
        counters: Some(counters_to_proto(&progress.counters)),
        units_done: progress.units_done,
        units_total: progress.units_total,
        activity: progress.activity.clone(),
    }
}

/// The progress of a message.
#[must_use]
pub fn progress_from_proto(progress: StageProgress) -> Progress {
    Progress {
        counters: progress.counters.as_ref().map(counters_from_proto).unwrap_or_default(),
        units_done: progress.units_done,
        units_total: progress.units_total,
        activity: progress.activity,
    }
}
