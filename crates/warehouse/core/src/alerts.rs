//! Alerts, from the failure they report to their delivery.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use domain::AlertCause;
use uuid::Uuid;

use crate::error::Result;

/// An alert as written to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Identifies the failure, the same however often it is delivered.
    pub alert_key: String,
    /// What the alert reports.
    pub cause: AlertCause,
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage that failed, or what failed in place of a stage.
    pub stage: String,
    /// The attempt that failed, from 1; 0 if it was not a stage.
    pub attempt: u32,
    /// The gRPC status code's name.
    pub error_code: String,
    /// The error message.
    pub error_message: String,
    /// The run's id; nil if there is none.
    pub run_id: Uuid,
    /// The run's business date.
    pub business_date: NaiveDate,
    /// When the stage failed.
    pub failed_at: DateTime<Utc>,
}

/// An alert that waits for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingAlert {
    /// The alert.
    pub alert: NewAlert,
    /// Delivery attempts so far.
    pub tries: u32,
}

/// An alert, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAlert {
    /// The alert.
    pub alert: NewAlert,
    /// Whether nobody has put it right since: neither has its run succeeded after all, nor are all
    /// of its run's days published since, nor has another run over them succeeded. One that is not
    /// about a stage of a run is about its business date alone.
    pub is_open: bool,
    /// When its delivery ended; `None` while it waits.
    pub settled_at: Option<DateTime<Utc>>,
    /// Delivery attempts so far.
    pub tries: u32,
    /// Why the newest delivery attempt that failed did.
    pub problem: Option<String>,
}

/// A page of alerts starts after this alert, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCursor {
    /// When its stage failed.
    pub failed_at: DateTime<Utc>,
    /// Its key.
    pub alert_key: String,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertQuery {
    /// Only those of this run.
    pub run_id: Option<Uuid>,
    /// Only those that are open.
    pub only_open: bool,
    /// Only alerts after this one.
    pub after: Option<AlertCursor>,
}

/// What people were alerted of.
#[async_trait]
pub trait AlertReader: Send + Sync {
    /// Up to `limit` alerts, the newest first, delivered or not.
    async fn alerts(&self, query: &AlertQuery, limit: u32) -> Result<Vec<RecordedAlert>>;
}

/// The coordinator's outbox: filled by failures, emptied by delivery.
#[async_trait]
pub trait AlertOutbox: Send + Sync {
    /// Writes an alert that does not come from a failed stage. Returns whether it is
    /// new; an alert with a known key stays as it is.
    async fn write_alert(&self, alert: &NewAlert) -> Result<bool>;

    /// Claims up to `limit` due alerts, the oldest first, so that no other caller gets
    /// them for `claim`. A claim that is never settled lapses.
    async fn claim_due_alerts(&self, limit: u32, claim: Duration) -> Result<Vec<PendingAlert>>;

    /// Removes a delivered alert from the due alerts for good.
    async fn settle_alert(&self, alert_key: &str, now: DateTime<Utc>) -> Result<()>;

    /// Puts an alert back, due after `delay`, with the reason.
    async fn defer_alert(&self, alert_key: &str, delay: Duration, problem: &str) -> Result<()>;
}

/// The notifier's record of deliveries, so that a repeated alert does not reach people
/// twice.
#[async_trait]
pub trait AlertLog: Send + Sync {
    /// The channels that have accepted the alert.
    async fn delivered_channels(&self, alert_key: &str) -> Result<Vec<String>>;

    /// Records that a channel accepted the alert. Recording it again is harmless.
    async fn record_delivery(&self, alert_key: &str, channel: &str, now: DateTime<Utc>) -> Result<()>;
}
