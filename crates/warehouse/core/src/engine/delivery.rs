//! What an engine loads.

use chrono::{DateTime, Utc};

use crate::fence::Fence;

/// Where a delivery comes from and who loads it, as the quarantine records it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The file, relative to its storage root.
    pub origin: &'a str,
    /// On behalf of which stage.
    pub fence: &'a Fence,
    /// When.
    pub now: DateTime<Utc>,
}
