//! What waits in the warehouse, for monitoring.

use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;

/// What waits in the warehouse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes to published company-days that wait to be published.
    pub dirty_ranges: u64,
    /// Rows in quarantine.
    pub quarantined_rows: u64,
    /// Alerts that wait for delivery.
    pub alerts: u64,
    /// How long the oldest alert has waited.
    pub oldest_alert: Duration,
}

/// Connections to the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Connections in use.
    pub used: u32,
    /// Connections that are idle.
    pub idle: u32,
    /// The most connections allowed.
    pub max: u32,
}

/// Reports what waits.
#[async_trait]
pub trait BacklogReader: Send + Sync {
    /// What waits now.
    async fn backlog(&self) -> Result<Backlog>;
}

/// What observability asks of an engine.
pub trait Observable: Send + Sync {
    /// The connections that this engine holds now.
    fn connections(&self) -> Connections;

    /// The database's name in the semantic conventions, for example `postgresql`.
    fn system(&self) -> &'static str;
}
