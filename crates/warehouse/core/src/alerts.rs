//! Alerts between the failure they tell of and the people they reach.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::Result;

/// What an alert tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertCause {
    /// A stage of the run failed for good.
    StageFailed,
    /// The deadline passed, and no run covers the day.
    DeadlineWithoutRun,
    /// The deadline passed while the run over the day is queued or running.
    DeadlineRunActive,
    /// The deadline passed, and the newest run over the day did not succeed.
    DeadlineRunFailed,
}

impl AlertCause {
    const ALL: [Self; 4] =
        [Self::StageFailed, Self::DeadlineWithoutRun, Self::DeadlineRunActive, Self::DeadlineRunFailed];

    /// The word that storage uses for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StageFailed => "STAGE_FAILED",
            Self::DeadlineWithoutRun => "DEADLINE_WITHOUT_RUN",
            Self::DeadlineRunActive => "DEADLINE_RUN_ACTIVE",
            Self::DeadlineRunFailed => "DEADLINE_RUN_FAILED",
        }
    }

    /// The value of a word, or `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == text)
    }
}

/// An alert as it is written to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Identifies the failure, the same however often it is delivered.
    pub alert_key: String,
    /// What it tells of.
    pub cause: AlertCause,
    /// The pipeline's name.
    pub pipeline: String,
    /// The stage that failed, or what failed in place of one.
    pub stage: String,
    /// The attempt that failed, from 1; 0 if it was no stage's.
    pub attempt: u32,
    /// The gRPC status code's name.
    pub error_code: String,
    /// The error message.
    pub error_message: String,
    /// The run; nil if there is none.
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
    /// Deliveries tried so far.
    pub tries: u32,
}

/// The coordinator's outbox: filled by failures, emptied by delivery.
#[async_trait]
pub trait AlertOutbox: Send + Sync {
    /// Writes an alert that comes with no failed stage. Returns whether it is
    /// new; one whose key is known stays as it is.
    async fn write_alert(&self, alert: &NewAlert) -> Result<bool>;

    /// Claims up to `limit` alerts that are due, the oldest first, so that
    /// nobody else gets them for `claim`. A claim that is never settled lapses.
    async fn claim_due_alerts(&self, limit: u32, claim: Duration) -> Result<Vec<PendingAlert>>;

    /// Removes a delivered alert from the outbox's due list for good.
    async fn settle_alert(&self, alert_key: &str, now: DateTime<Utc>) -> Result<()>;

    /// Puts an alert back, due after `delay`, with what went wrong.
    async fn defer_alert(&self, alert_key: &str, delay: Duration, problem: &str) -> Result<()>;
}

/// The notifier's memory of what it delivered, so that telling it again does
/// not tell people twice.
#[async_trait]
pub trait AlertLog: Send + Sync {
    /// The channels that have accepted the alert.
    async fn delivered_channels(&self, alert_key: &str) -> Result<Vec<String>>;

    /// Records that a channel accepted the alert. Recording it again is harmless.
    async fn record_delivery(&self, alert_key: &str, channel: &str, now: DateTime<Utc>) -> Result<()>;
}
