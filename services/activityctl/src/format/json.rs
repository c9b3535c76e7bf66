//! Answers as JSON, one object per line. Fields are named as in the fact and
//! the contracts; unset fields are null.

use std::io::Write;

use proto::{
    access::v1::GetCallerResponse,
    activity::v1::{ChurnRisk, CompanyActivity, GetFreshnessResponse, Publication},
    pipeline::v1::{AuditEntry, Run, RunStage},
};
use serde::{Serialize, Serializer};

use crate::{
    error::Error,
    format::{
        fact::columns,
        value::{audit_outcome, rfc3339, role, run_state, run_trigger, stage_state},
    },
};

/// Writes one object and ends its line.
///
/// # Errors
/// If it cannot be written.
pub fn write_line(mut writer: impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut writer, value)?;
    Ok(writer.write_all(b"\n")?)
}

/// A row of the fact.
#[derive(Debug)]
pub struct ActivityJson<'a>(&'a CompanyActivity);

impl<'a> From<&'a CompanyActivity> for ActivityJson<'a> {
    fn from(row: &'a CompanyActivity) -> Self {
        Self(row)
    }
}

impl Serialize for ActivityJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(columns(self.0))
    }
}

/// A row of the fact, with who published it.
#[derive(Debug, Serialize)]
pub struct PublishedActivityJson<'a> {
    #[serde(flatten)]
    activity: ActivityJson<'a>,
    publication: Option<PublicationJson<'a>>,
}

impl<'a> PublishedActivityJson<'a> {
    /// Combines an answer's two parts.
    #[must_use]
    pub fn new(activity: &'a CompanyActivity, publication: Option<&'a Publication>) -> Self {
        Self { activity: activity.into(), publication: publication.map(Into::into) }
    }
}

/// Who published a day, and when.
#[derive(Debug, Serialize)]
pub struct PublicationJson<'a> {
    activity_date: &'a str,
    run_id: &'a str,
    publish_time: Option<String>,
    row_count: i64,
}

impl<'a> From<&'a Publication> for PublicationJson<'a> {
    fn from(publication: &'a Publication) -> Self {
        Self {
            activity_date: &publication.activity_date,
            run_id: &publication.run_id,
            publish_time: rfc3339(publication.publish_time.as_ref()),
            row_count: publication.row_count,
        }
    }
}

/// A company at risk: its row, and its last active day.
#[derive(Debug, Serialize)]
pub struct ChurnRiskJson<'a> {
    #[serde(flatten)]
    activity: ActivityJson<'a>,
    last_event_date: Option<&'a str>,
}

impl<'a> ChurnRiskJson<'a> {
    /// Converts an entry of an answer; `None` if it has no row.
    #[must_use]
    pub fn new(risk: &'a ChurnRisk) -> Option<Self> {
        Some(Self {
            activity: risk.activity.as_ref()?.into(),
            last_event_date: non_empty(&risk.last_event_date),
        })
    }
}

/// How fresh the published data is.
#[derive(Debug, Serialize)]
pub struct FreshnessJson<'a> {
    newest: Option<PublicationJson<'a>>,
    oldest_date: Option<&'a str>,
    published_days: i64,
    days_behind: i32,
}

impl<'a> From<&'a GetFreshnessResponse> for FreshnessJson<'a> {
    fn from(freshness: &'a GetFreshnessResponse) -> Self {
        Self {
            newest: freshness.newest.as_ref().map(Into::into),
            oldest_date: non_empty(&freshness.oldest_date),
            published_days: freshness.published_days,
            days_behind: freshness.days_behind,
        }
    }
}

/// Who calls.
#[derive(Debug, Serialize)]
pub struct CallerJson<'a> {
    name: &'a str,
    roles: Vec<&'static str>,
    is_anonymous: bool,
}

impl<'a> From<&'a GetCallerResponse> for CallerJson<'a> {
    fn from(caller: &'a GetCallerResponse) -> Self {
        let roles = caller.roles().map(role).collect();
        Self { name: &caller.name, roles, is_anonymous: caller.is_anonymous }
    }
}

/// An entry of the audit trail.
#[derive(Debug, Serialize)]
pub struct AuditEntryJson<'a> {
    entry_id: i64,
    action: &'a str,
    actor: &'a str,
    address: Option<&'a str>,
    details: &'a str,
    request_time: Option<String>,
    outcome: &'static str,
    message: Option<&'a str>,
    end_time: Option<String>,
}

impl<'a> From<&'a AuditEntry> for AuditEntryJson<'a> {
    fn from(entry: &'a AuditEntry) -> Self {
        Self {
            entry_id: entry.entry_id,
            action: &entry.action,
            actor: &entry.actor,
            address: non_empty(&entry.address),
            details: &entry.details,
            request_time: rfc3339(entry.request_time.as_ref()),
            outcome: audit_outcome(entry.outcome),
            message: non_empty(&entry.message),
            end_time: rfc3339(entry.end_time.as_ref()),
        }
    }
}

/// A run with its stages.
#[derive(Debug, Serialize)]
pub struct RunJson<'a> {
    run_id: &'a str,
    pipeline: &'a str,
    start_date: Option<&'a str>,
    end_date: Option<&'a str>,
    trigger: &'static str,
    state: &'static str,
    create_time: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    accept_empty_days: &'a [String],
    rebuild_days: &'a [String],
    requested_by: Option<&'a str>,
    traceparent: Option<&'a str>,
    trace_url: Option<&'a str>,
    stages: Vec<StageJson<'a>>,
}

impl<'a> From<&'a Run> for RunJson<'a> {
    fn from(run: &'a Run) -> Self {
        let window = run.window.as_ref();
        Self {
            run_id: &run.run_id,
            pipeline: &run.pipeline,
            start_date: window.map(|window| window.start_date.as_str()),
            end_date: window.map(|window| window.end_date.as_str()),
            trigger: run_trigger(run.trigger),
            state: run_state(run.state),
            create_time: rfc3339(run.create_time.as_ref()),
            start_time: rfc3339(run.start_time.as_ref()),
            end_time: rfc3339(run.end_time.as_ref()),
            accept_empty_days: &run.accept_empty_days,
            rebuild_days: &run.rebuild_days,
            requested_by: non_empty(&run.requested_by),
            traceparent: non_empty(&run.traceparent),
            trace_url: non_empty(&run.trace_url),
            stages: run.stages.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct StageJson<'a> {
    stage: &'a str,
    service: &'a str,
    depends_on: &'a [String],
    state: &'static str,
    attempt: u32,
    start_time: Option<String>,
    end_time: Option<String>,
    rows_read: u64,
    rows_written: u64,
    rows_unchanged: u64,
    rows_duplicate: u64,
    rows_rejected: u64,
    rows_removed: u64,
    bytes_read: u64,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
    remarks: &'a [String],
    waiting_for_service_since: Option<String>,
}

impl<'a> From<&'a RunStage> for StageJson<'a> {
    fn from(stage: &'a RunStage) -> Self {
        let counters = stage.progress.as_ref().and_then(|progress| progress.counters).unwrap_or_default();
        Self {
            stage: &stage.stage,
            service: &stage.service,
            depends_on: &stage.depends_on,
            state: stage_state(stage.state),
            attempt: stage.attempt,
            start_time: rfc3339(stage.start_time.as_ref()),
            end_time: rfc3339(stage.end_time.as_ref()),
            rows_read: counters.rows_read,
            rows_written: counters.rows_written,
            rows_unchanged: counters.rows_unchanged,
            rows_duplicate: counters.rows_duplicate,
            rows_rejected: counters.rows_rejected,
            rows_removed: counters.rows_removed,
            bytes_read: counters.bytes_read,
            error_code: non_empty(&stage.error_code),
            error_message: non_empty(&stage.error_message),
            remarks: &stage.remarks,
            waiting_for_service_since: rfc3339(stage.waiting_for_service_since.as_ref()),
        }
    }
}

pub(crate) fn non_empty(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(value: &impl Serialize) -> String {
        let mut bytes = Vec::new();
        write_line(&mut bytes, value).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_run_reports_its_stages_in_words() {
        let stage =
            RunStage { stage: "act_copy_crm_csv".into(), state: 4, attempt: 2, ..RunStage::default() };
        let run = Run { run_id: "r".into(), state: 4, trigger: 2, stages: vec![stage], ..Run::default() };
        let json: serde_json::Value = serde_json::from_str(&line(&RunJson::from(&run))).unwrap();
        assert_eq!(json["state"], "FAILED");
        assert_eq!(json["trigger"], "SCHEDULED");
        assert_eq!(json["stages"][0]["state"], "FAILED");
        assert!(json["traceparent"].is_null());
    }
}
