//! What the audits of a run made of its data.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::audit::{AuditResult, DayMeasurements};
use uuid::Uuid;

use crate::error::Result;

/// The most measured days that are worth keeping of a run: as many as answers name.
pub const MOST_MEASURED_DAYS: usize = 400;

/// What the audits of a run found when they last judged it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunAudits {
    /// When the data was measured.
    pub audited_at: DateTime<Utc>,
    /// The results by audit.
    pub results: Vec<AuditResult>,
    /// What was measured, by day; the newest [`MOST_MEASURED_DAYS`] at most.
    pub days: Vec<DayMeasurements>,
}

/// Reads what audits found.
#[async_trait]
pub trait RunAuditReader: Send + Sync {
    /// What the audits of a run found; `None` if it has not been audited, or that is not on record.
    async fn run_audits(&self, run_id: Uuid) -> Result<Option<RunAudits>>;
}
