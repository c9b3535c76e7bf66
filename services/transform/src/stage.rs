//! The two stages that turn staged rows into published ones.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    Counters, Remarks,
    audit::{self, AuditPolicy, Finding, audit},
    run::{STAGE_BUILD_FACT, STAGE_UNPUBLISH, STAGE_VALIDATE},
};
use runtime::{
    Clock,
    stage::{ProgressSink, StageCall, StageError, StageExecutor, StageOutcome},
};
use tracing::{error, info, warn};
use warehouse::{FactBuilder, MOST_MEASURED_DAYS, RunAudits};

use crate::error::Error;

/// Executes `df_build_fact_company_activity`, `act_validate_row_counts` and
/// `act_unpublish_days`.
pub(crate) struct FactStages {
    pub(crate) warehouse: Arc<dyn FactBuilder>,
    pub(crate) policy: AuditPolicy,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl StageExecutor for FactStages {
    fn stages(&self) -> &'static [&'static str] {
        &[STAGE_BUILD_FACT, STAGE_VALIDATE, STAGE_UNPUBLISH]
    }

    async fn execute(&self, call: StageCall, progress: ProgressSink) -> Result<StageOutcome, StageError> {
        let outcome = match call.fence.stage.as_str() {
            STAGE_BUILD_FACT => self.build(&call, progress).await,
            STAGE_UNPUBLISH => self.unpublish(&call).await,
            _ => self.validate_and_publish(&call).await,
        };
        Ok(outcome?)
    }
}

impl FactStages {
    async fn build(&self, call: &StageCall, progress: ProgressSink) -> Result<StageOutcome, Error> {
        let counters =
            self.warehouse.build_fact(&call.fence, call.window, self.clock.now(), progress).await?;
        Ok(StageOutcome { counters, remarks: Vec::new() })
    }

    async fn unpublish(&self, call: &StageCall) -> Result<StageOutcome, Error> {
        let unpublished = self.warehouse.unpublish_days(&call.fence, call.window, self.clock.now()).await?;
        info!(window = %call.window, days = unpublished.days, rows = unpublished.rows, "days taken back");
        let counters = Counters { rows_removed: unpublished.rows, ..Counters::default() };
        Ok(StageOutcome { counters, remarks: Vec::new() })
    }

    async fn validate_and_publish(&self, call: &StageCall) -> Result<StageOutcome, Error> {
        let measured = self.warehouse.measure_candidates(&call.fence, call.window).await?;
        let audited_at = self.clock.now();
        let findings = audit(&measured, &self.policy);
        findings.iter().for_each(report);
        let results = audit::results(&findings, &self.policy);
        // Before the verdict, so that a refusal can be looked at as well.
        let mut days = measured.days;
        days.drain(..days.len().saturating_sub(MOST_MEASURED_DAYS));
        let audits = RunAudits { audited_at, results, days };
        self.warehouse.record_audits(&call.fence, &audits).await?;
        let (blocking, warnings): (Vec<Finding>, Vec<Finding>) =
            findings.into_iter().partition(|finding| finding.blocks);
        if !blocking.is_empty() {
            return Err(Error::Blocked(blocking));
        }
        let remarks: Remarks =
            warnings.iter().map(|finding| format!("{}: {}", finding.audit, finding.message)).collect();
        let remarks = remarks.into_texts();
        let published =
            self.warehouse.publish_fact(&call.fence, call.window, &remarks, self.clock.now()).await?;
        Ok(StageOutcome { counters: published.counters, remarks })
    }
}

/// Reports every finding, in the log and as an event of the stage's span: the
/// stage's own message lists only the first few that block.
fn report(Finding { audit, blocks, message }: &Finding) {
    if *blocks {
        error!(audit, finding = message, "an audit blocks the publish");
    } else {
        warn!(audit, finding = message, "an audit warns");
    }
}

#[cfg(test)]
mod tests;
