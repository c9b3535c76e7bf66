//! Converts between the messages of `MonitoringService` and what they tell of.

use chrono::{DateTime, NaiveDate, Utc};
use contract::{
    FieldViolations,
    message::{day_from_proto, timestamp_to_proto, window_to_proto},
};
use domain::audit::{AuditLevel, AuditResult, DayMeasurements};
use proto::{
    monitoring::v1::{
        AuditLevel as AuditLevelProto, AuditResult as AuditResultProto, Backlog as BacklogProto,
        Deadline as DeadlineProto, ListAuditResultsRequest, ListAuditResultsResponse,
        ListReconciliationsResponse, MeasuredDay, PipelineStage, Reconciliation as ReconciliationProto,
        RecordedAlert as RecordedAlertProto,
    },
    reconciliation::v1::{DifferenceCount, ReconciliationSummary},
};
use uuid::Uuid;
use warehouse::{
    AlertCursor, Backlog, MOST_MEASURED_DAYS, QuarantineCount, Reconciliation, ReconciliationId,
    RecordedAlert, RunAudits,
};

use crate::{alerts, convert, deadline::Due, pipeline::Stage};

/// Whose audits are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditsOf {
    /// A run.
    Run(Uuid),
    /// The run that last published a day, and what it measured of that day.
    Day(NaiveDate),
}

pub(crate) fn audits_of(asked: &ListAuditResultsRequest) -> Result<AuditsOf, FieldViolations> {
    let ListAuditResultsRequest { run_id, activity_date } = asked;
    match (run_id.is_empty(), activity_date.is_empty()) {
        (false, true) => Ok(AuditsOf::Run(convert::run_id(run_id)?)),
        (true, false) => Ok(AuditsOf::Day(day_from_proto("activity_date", activity_date)?)),
        (true, true) => {
            Err(FieldViolations::of("run_id", "is missing: name a run, or a day in activity_date"))
        }
        (false, false) => {
            Err(FieldViolations::of("activity_date", "must be empty if run_id is given: name one of the two"))
        }
    }
}

pub(crate) fn stage(stage: &Stage) -> PipelineStage {
    PipelineStage {
        stage: stage.name.clone(),
        service: stage.service.clone(),
        depends_on: stage.depends_on.clone(),
        timeout: prost_types::Duration::try_from(stage.limits.timeout).ok(),
        max_attempts: stage.limits.retry.max_attempts,
    }
}

pub(crate) fn deadline(due: Due, now: DateTime<Utc>) -> DeadlineProto {
    DeadlineProto {
        activity_date: due.day.to_string(),
        deadline_time: Some(timestamp_to_proto(due.at)),
        is_missed: now >= due.at,
    }
}

pub(crate) fn backlog(backlog: &Backlog, quarantined: &[QuarantineCount]) -> BacklogProto {
    BacklogProto {
        dirty_ranges: backlog.dirty_ranges,
        open_quarantined_rows: quarantined.iter().map(|count| count.rows).sum(),
        alerts: backlog.alerts,
        oldest_alert_age: prost_types::Duration::try_from(backlog.oldest_alert).ok(),
    }
}

pub(crate) fn alert(found: &RecordedAlert, trace_url: Option<String>) -> RecordedAlertProto {
    RecordedAlertProto {
        alert: Some(alerts::to_proto(&found.alert, trace_url.unwrap_or_default())),
        is_open: found.is_open,
        settle_time: found.settled_at.map(timestamp_to_proto),
        tries: found.tries,
        problem: found.problem.clone().unwrap_or_default(),
    }
}

/// The token for the page after an alert; opaque to callers.
pub(crate) fn alert_token(found: &RecordedAlert) -> String {
    format!("{}/{}", found.alert.failed_at.to_rfc3339(), found.alert.alert_key)
}

/// Where a token's page of alerts starts; `None` for the first page.
pub(crate) fn alert_cursor(token: &str) -> Result<Option<AlertCursor>, FieldViolations> {
    if token.is_empty() {
        return Ok(None);
    }
    let (failed_at, alert_key) = token.split_once('/').ok_or_else(foreign_token)?;
    let failed_at = DateTime::parse_from_rfc3339(failed_at).map_err(|_| foreign_token())?.to_utc();
    Ok(Some(AlertCursor { failed_at, alert_key: alert_key.to_owned() }))
}

/// What the audits of a run found, and what they measured: of one day alone if that is given.
pub(crate) fn audits(
    run_id: Uuid,
    found: Option<RunAudits>,
    day: Option<NaiveDate>,
) -> ListAuditResultsResponse {
    let run_id = run_id.to_string();
    let Some(RunAudits { audited_at, results, mut days }) = found else {
        return ListAuditResultsResponse { run_id, ..ListAuditResultsResponse::default() };
    };
    days.retain(|measured| day.is_none_or(|day| measured.day == day));
    let days = days.split_off(days.len().saturating_sub(MOST_MEASURED_DAYS));
    ListAuditResultsResponse {
        run_id,
        results: results.into_iter().map(audit_result).collect(),
        audit_time: Some(timestamp_to_proto(audited_at)),
        days: days.iter().map(measured_day).collect(),
    }
}

fn audit_result(result: AuditResult) -> AuditResultProto {
    let AuditResult { audit, level, rule, findings, finding_count } = result;
    let level = match level {
        AuditLevel::Block => AuditLevelProto::Block,
        AuditLevel::Warn => AuditLevelProto::Warn,
        AuditLevel::Off => AuditLevelProto::Off,
    };
    AuditResultProto { audit, level: level.into(), rule, findings, finding_count }
}

fn measured_day(measured: &DayMeasurements) -> MeasuredDay {
    MeasuredDay {
        activity_date: measured.day.to_string(),
        rows: measured.rows,
        expected_rows: measured.expected_rows,
        source_rows: measured.source_rows,
        recent_median_source_rows: measured.recent_median_source_rows,
    }
}

/// A page of comparisons, of which one more than `limit` was read.
pub(crate) fn reconciliations(
    mut found: Vec<(ReconciliationId, Reconciliation)>,
    limit: u32,
) -> ListReconciliationsResponse {
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| has_more).map(|(id, _)| reconciliation_token(*id));
    ListReconciliationsResponse {
        reconciliations: found.into_iter().map(reconciliation).collect(),
        next_page_token: next.unwrap_or_default(),
    }
}

fn reconciliation((id, ended): (ReconciliationId, Reconciliation)) -> ReconciliationProto {
    let by_kind = ended.by_kind.into_iter().map(|(kind, count)| DifferenceCount { kind, count });
    ReconciliationProto {
        reconciliation_id: id.0,
        window: Some(window_to_proto(ended.window)),
        companies: ended.companies,
        sample_size: ended.sample_size,
        requested_by: ended.requested_by,
        start_time: Some(timestamp_to_proto(ended.started_at)),
        end_time: Some(timestamp_to_proto(ended.ended_at)),
        summary: Some(ReconciliationSummary {
            compared: ended.compared,
            mismatches: ended.mismatches,
            invalid_records: ended.invalid_records,
            by_kind: by_kind.collect(),
            awaiting_run: ended.awaiting_run,
        }),
    }
}

/// The token for the page after a comparison; opaque to callers.
fn reconciliation_token(ReconciliationId(id): ReconciliationId) -> String {
    format!("{id:x}")
}

/// Where a token's page of comparisons starts; `None` for the first page.
pub(crate) fn reconciliation_cursor(token: &str) -> Result<Option<ReconciliationId>, FieldViolations> {
    if token.is_empty() {
        return Ok(None);
    }
    match i64::from_str_radix(token, 16) {
        // Other spellings of a number were never issued.
        Ok(id) if reconciliation_token(ReconciliationId(id)) == token => Ok(Some(ReconciliationId(id))),
        _ => Err(foreign_token()),
    }
}

fn foreign_token() -> FieldViolations {
    FieldViolations::of("page_token", "is none that this service gave; leave it empty to start over")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audits_are_asked_for_by_run_or_by_day() {
        let asked = |run_id: &str, activity_date: &str| {
            let asked = audits_of(&ListAuditResultsRequest {
                run_id: run_id.to_owned(),
                activity_date: activity_date.to_owned(),
            });
            asked.map_err(|refused| refused.iter().map(|(field, _)| field).collect::<Vec<_>>())
        };
        let run = Uuid::nil().to_string();
        assert_eq!(asked(&run, ""), Ok(AuditsOf::Run(Uuid::nil())));
        assert_eq!(asked("", "2026-02-13"), Ok(AuditsOf::Day("2026-02-13".parse().unwrap())));
        for (run_id, day, field) in [
            ("", "", "run_id"),
            ("7", "", "run_id"),
            ("", "soon", "activity_date"),
            (&run, "2026-02-13", "activity_date"),
        ] {
            assert_eq!(asked(run_id, day), Err(vec![field]), "{run_id} {day}");
        }
    }

    #[test]
    fn page_tokens_lead_back_and_others_are_refused() {
        assert_eq!(
            reconciliation_cursor(&reconciliation_token(ReconciliationId(42))),
            Ok(Some(ReconciliationId(42)))
        );
        assert_eq!((reconciliation_cursor(""), alert_cursor("")), (Ok(None), Ok(None)));
        for token in ["next", "0042", "2026-02-13"] {
            assert!(reconciliation_cursor(token).is_err() && alert_cursor(token).is_err(), "{token}");
        }
        let cursor = alert_cursor("2026-02-14T06:00:00.000000001+00:00/a/b").unwrap().unwrap();
        assert_eq!(cursor.alert_key, "a/b");
        assert_eq!(cursor.failed_at.timestamp_subsec_nanos(), 1);
    }

    #[test]
    fn of_many_measured_days_the_newest_are_shown_and_of_one_asked_for_only_that() {
        let first: NaiveDate = "2025-01-01".parse().unwrap();
        let day = |day| DayMeasurements {
            day,
            rows: 1,
            expected_rows: 1,
            source_rows: 1,
            recent_median_source_rows: None,
        };
        let days: Vec<_> = first.iter_days().take(500).map(day).collect();
        let found = RunAudits { audited_at: DateTime::UNIX_EPOCH, results: vec![], days };
        let all = audits(Uuid::nil(), Some(found.clone()), None).days;
        assert_eq!((all.len(), all[399].activity_date.as_str()), (400, "2026-05-15"));
        let one = audits(Uuid::nil(), Some(found), Some(first)).days;
        assert_eq!(one.iter().map(|day| day.activity_date.as_str()).collect::<Vec<_>>(), ["2025-01-01"]);
    }
}
