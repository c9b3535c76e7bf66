//! What waits, and who waits for whom: for those who watch the system.

use std::time::Duration;

use async_trait::async_trait;

use crate::Result;

/// What waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes to published company-days that wait to be published.
    pub dirty_ranges: u64,
    /// Rows in quarantine.
    pub quarantined_rows: u64,
    /// Alerts that wait for delivery.
    pub alerts: u64,
    /// How long the oldest of them has waited.
    pub oldest_alert: Duration,
}

/// Connections to the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Those that somebody uses.
    pub used: u32,
    /// Those that wait for use.
    pub idle: u32,
    /// How many there may be.
    pub max: u32,
}

/// Tells what waits.
#[async_trait]
pub trait BacklogReader: Send + Sync {
    /// What waits now.
    async fn backlog(&self) -> Result<Backlog>;

    /// The connections that this engine holds now.
    fn connections(&self) -> Connections;

    /// The database by the name of the semantic conventions, for example `postgresql`.
    fn system(&self) -> &'static str;
}
