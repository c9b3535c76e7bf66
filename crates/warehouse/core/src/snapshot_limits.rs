//! How much an export may differ from the one before.

use domain::RejectionLimit;

/// When an export is implausible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SnapshotLimits {
    /// The largest share of companies, from 0 to 1, that may be missing from one
    /// snapshot to the next.
    pub max_shrink_share: f64,
    /// The largest allowed ratio of a snapshot's companies to those of the previous one.
    pub max_growth_factor: f64,
    /// How many of its rows may be rejected.
    pub rejections: RejectionLimit,
}

impl SnapshotLimits {
    /// Accepts every export.
    pub const NONE: Self =
        Self { max_shrink_share: 1.0, max_growth_factor: f64::INFINITY, rejections: RejectionLimit::NONE };
}
