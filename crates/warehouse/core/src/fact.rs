//! Build, audit and publish of `fact_company_activity`.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Counters, DateWindow, audit::Measurements};

use crate::{
    error::Result, fence::Fence, progress_sink::ProgressSink, retention::UnpublishedDays,
    run_audits::RunAudits,
};

/// What a publish did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishOutcome {
    /// `read` counts candidates, `written` rows whose values changed, `removed` rows
    /// that no longer belong.
    pub counters: Counters,
    /// Days published for the first time.
    pub new_days: u64,
}

/// Builds candidates that no reader sees, then publishes them.
#[async_trait]
pub trait FactBuilder: Send + Sync {
    /// Builds the candidates of a run: every row of the unpublished days of `window`,
    /// and every dirty company-day of published days. Candidates of earlier attempts
    /// and other runs are discarded.
    ///
    /// Commits the stage as SUCCEEDED in its last transaction; `now` is the time of the
    /// call, and the stage ends later by the time it takes. `read` counts computed
    /// company-days, `written` those that differ from the published ones, `unchanged`
    /// the others.
    async fn build_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
        progress: ProgressSink,
    ) -> Result<Counters>;

    /// Measures what publishing the run's candidates would leave behind.
    async fn measure_candidates(&self, fence: &Fence, window: DateWindow) -> Result<Measurements>;

    /// Keeps what the audits of the fence's run found, in place of what they found before: in a
    /// transaction of its own, so that it stays whatever becomes of the publish.
    async fn record_audits(&self, fence: &Fence, audits: &RunAudits) -> Result<()>;

    /// Publishes the run's candidates in one transaction: fact rows, the ledger
    /// of published days, the cleared dirty set and the stage as SUCCEEDED with
    /// `remarks`.
    ///
    /// # Errors
    /// [`Error::Precondition`](crate::Error::Precondition) if another run
    /// published since the candidates were built.
    async fn publish_fact(
        &self,
        fence: &Fence,
        window: DateWindow,
        remarks: &[String],
        now: DateTime<Utc>,
    ) -> Result<PublishOutcome>;

    /// Takes back the published days of `window`, all at once and as the work of the
    /// fence's stage, which is then SUCCEEDED: removes their rows, their ledger entries
    /// and their dirty marks. Staged data stays, so that a later run can publish them
    /// again.
    async fn unpublish_days(
        &self,
        fence: &Fence,
        window: DateWindow,
        now: DateTime<Utc>,
    ) -> Result<UnpublishedDays>;
}
