//! What an engine loads.

use chrono::{DateTime, NaiveDate, Utc};

use crate::fence::Fence;

/// Where a delivery comes from and who loads it, as the quarantine records it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The file, relative to its storage root.
    pub origin: &'a str,
    /// On behalf of which stage.
    pub fence: &'a Fence,
    /// The day that it is about, if it is about one.
    pub business_date: Option<NaiveDate>,
    /// When.
    pub now: DateTime<Utc>,
}
