//! How the pipeline is doing, as JSON.

use proto::{
    activity::v1::GetFreshnessResponse,
    monitoring::v1::{
        AuditResult, Deadline, GetPipelineStatusResponse, ListAuditResultsResponse, MeasuredDay,
        RecordedAlert,
    },
};
use serde::Serialize;

use super::{
    json::{FreshnessJson, non_empty},
    value::{alert_cause, audit_level, rfc3339},
};

/// How the pipeline is doing.
#[derive(Debug, Serialize)]
pub struct StatusJson<'a> {
    pipeline: &'a str,
    freshness: Option<FreshnessJson<'a>>,
    deadline: Option<DeadlineJson<'a>>,
    active_run_ids: &'a [String],
    dirty_ranges: u64,
    open_quarantined_rows: u64,
    alerts_waiting: u64,
    oldest_alert_seconds: Option<i64>,
    stages: Vec<StageJson<'a>>,
}

#[derive(Debug, Serialize)]
struct DeadlineJson<'a> {
    activity_date: &'a str,
    deadline_time: Option<String>,
    is_missed: bool,
}

#[derive(Debug, Serialize)]
struct StageJson<'a> {
    stage: &'a str,
    service: &'a str,
    depends_on: &'a [String],
    timeout_seconds: Option<i64>,
    max_attempts: u32,
}

impl<'a> From<&'a Deadline> for DeadlineJson<'a> {
    fn from(deadline: &'a Deadline) -> Self {
        Self {
            activity_date: &deadline.activity_date,
            deadline_time: rfc3339(deadline.deadline_time.as_ref()),
            is_missed: deadline.is_missed,
        }
    }
}

impl<'a> StatusJson<'a> {
    /// Combines what the coordinator and the read side say; the latter may be another server.
    #[must_use]
    pub fn new(status: &'a GetPipelineStatusResponse, freshness: Option<&'a GetFreshnessResponse>) -> Self {
        let backlog = status.backlog.unwrap_or_default();
        let stages = status.stages.iter().map(|stage| StageJson {
            stage: &stage.stage,
            service: &stage.service,
            depends_on: &stage.depends_on,
            timeout_seconds: stage.timeout.map(|timeout| timeout.seconds),
            max_attempts: stage.max_attempts,
        });
        Self {
            pipeline: &status.pipeline,
            freshness: freshness.map(Into::into),
            deadline: status.deadline.as_ref().map(Into::into),
            active_run_ids: &status.active_run_ids,
            dirty_ranges: backlog.dirty_ranges,
            open_quarantined_rows: backlog.open_quarantined_rows,
            alerts_waiting: backlog.alerts,
            oldest_alert_seconds: (backlog.alerts > 0)
                .then(|| backlog.oldest_alert_age.map(|age| age.seconds))
                .flatten(),
            stages: stages.collect(),
        }
    }
}

/// An alert, and what became of it.
#[derive(Debug, Serialize)]
pub struct AlertJson<'a> {
    alert_key: &'a str,
    is_open: bool,
    cause: &'static str,
    pipeline: &'a str,
    stage: &'a str,
    attempt: u32,
    run_id: Option<&'a str>,
    business_date: &'a str,
    fail_time: Option<String>,
    error_code: &'a str,
    error_message: &'a str,
    settle_time: Option<String>,
    tries: u32,
    problem: Option<&'a str>,
    trace_url: Option<&'a str>,
}

impl<'a> AlertJson<'a> {
    /// Converts an entry of an answer; `None` if it has no alert.
    #[must_use]
    pub fn new(found: &'a RecordedAlert) -> Option<Self> {
        let alert = found.alert.as_ref()?;
        Some(Self {
            alert_key: &alert.alert_key,
            is_open: found.is_open,
            cause: alert_cause(alert.cause),
            pipeline: &alert.pipeline,
            stage: &alert.stage,
            attempt: alert.attempt,
            run_id: non_empty(&alert.run_id),
            business_date: &alert.business_date,
            fail_time: rfc3339(alert.fail_time.as_ref()),
            error_code: &alert.error_code,
            error_message: &alert.error_message,
            settle_time: rfc3339(found.settle_time.as_ref()),
            tries: found.tries,
            problem: non_empty(&found.problem),
            trace_url: non_empty(&alert.trace_url),
        })
    }
}

/// What the audits of a run found.
#[derive(Debug, Serialize)]
pub struct AuditsJson<'a> {
    run_id: &'a str,
    audit_time: Option<String>,
    audits: Vec<AuditJson<'a>>,
    days: Vec<DayJson<'a>>,
}

#[derive(Debug, Serialize)]
struct AuditJson<'a> {
    audit: &'a str,
    level: &'static str,
    rule: &'a str,
    finding_count: u64,
    findings: &'a [String],
}

#[derive(Debug, Serialize)]
struct DayJson<'a> {
    activity_date: &'a str,
    rows: u64,
    expected_rows: u64,
    source_rows: u64,
    recent_median_source_rows: Option<f64>,
}

impl<'a> From<&'a AuditResult> for AuditJson<'a> {
    fn from(result: &'a AuditResult) -> Self {
        Self {
            audit: &result.audit,
            level: audit_level(result.level),
            rule: &result.rule,
            finding_count: result.finding_count,
            findings: &result.findings,
        }
    }
}

impl<'a> From<&'a MeasuredDay> for DayJson<'a> {
    fn from(day: &'a MeasuredDay) -> Self {
        Self {
            activity_date: &day.activity_date,
            rows: day.rows,
            expected_rows: day.expected_rows,
            source_rows: day.source_rows,
            recent_median_source_rows: day.recent_median_source_rows,
        }
    }
}

impl<'a> From<&'a ListAuditResultsResponse> for AuditsJson<'a> {
    fn from(audits: &'a ListAuditResultsResponse) -> Self {
        Self {
            run_id: &audits.run_id,
            audit_time: rfc3339(audits.audit_time.as_ref()),
            audits: audits.results.iter().map(Into::into).collect(),
            days: audits.days.iter().map(Into::into).collect(),
        }
    }
}
