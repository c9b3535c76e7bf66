//! Explanations as JSON. Fields are named as in the contract; unset ones are null.

use proto::reconciliation::v1::{
    CellPart, ChangeReason, DayFetch, ExplainedCell, ExplainedChange, ExplainedDay, ExplainedVersion,
    Explanation, LandedLine, UsageNumbers,
};
use serde::Serialize;

use crate::format::{
    json::{ActivityJson, PublicationJson, non_empty},
    value::{agreement, change_kind, landed_file_state, landed_line_use, reason_kind, rfc3339, standing},
};

/// Why a company-day says what it says.
#[derive(Debug, Serialize)]
pub struct ExplanationJson<'a> {
    company_id: &'a str,
    activity_date: &'a str,
    standing: &'static str,
    statements: &'a [String],
    published: Option<ActivityJson<'a>>,
    publication: Option<PublicationJson<'a>>,
    written_by: Option<&'a str>,
    staged: Option<ActivityJson<'a>>,
    agreement: Option<&'static str>,
    cells: Vec<CellJson<'a>>,
    days: Vec<DayJson<'a>>,
    crm_version: Option<VersionJson<'a>>,
    crm_statements: &'a [String],
    changes: Vec<ChangeJson<'a>>,
}

impl<'a> From<&'a Explanation> for ExplanationJson<'a> {
    fn from(explanation: &'a Explanation) -> Self {
        Self {
            company_id: &explanation.company_id,
            activity_date: &explanation.activity_date,
            standing: standing(explanation.standing),
            statements: &explanation.statements,
            published: explanation.published.as_ref().map(Into::into),
            publication: explanation.publication.as_ref().map(Into::into),
            written_by: non_empty(&explanation.written_by),
            staged: explanation.staged.as_ref().map(Into::into),
            agreement: agreement(explanation.agreement),
            cells: explanation.cells.iter().map(Into::into).collect(),
            days: explanation.days.iter().map(Into::into).collect(),
            crm_version: explanation.crm_version.as_ref().map(Into::into),
            crm_statements: &explanation.crm_statements,
            changes: explanation.changes.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct CellJson<'a> {
    column: &'a str,
    rule: &'a str,
    reckoning: Option<&'a str>,
    parts: Vec<PartJson<'a>>,
    differs: bool,
}

impl<'a> From<&'a ExplainedCell> for CellJson<'a> {
    fn from(cell: &'a ExplainedCell) -> Self {
        let ExplainedCell { column, rule, reckoning, parts, differs } = cell;
        let parts = parts.iter().map(|CellPart { date, number }| PartJson { date, number: *number });
        Self { column, rule, reckoning: non_empty(reckoning), parts: parts.collect(), differs: *differs }
    }
}

#[derive(Debug, Serialize)]
struct PartJson<'a> {
    date: &'a str,
    number: Option<i64>,
}

#[derive(Debug, Serialize)]
struct DayJson<'a> {
    date: &'a str,
    record: Option<NumbersJson>,
    fetch: Option<FetchJson<'a>>,
    file_state: Option<&'static str>,
    lines: Vec<LineJson<'a>>,
    statement: &'a str,
}

impl<'a> From<&'a ExplainedDay> for DayJson<'a> {
    fn from(day: &'a ExplainedDay) -> Self {
        Self {
            date: &day.date,
            record: day.record.map(Into::into),
            fetch: day.fetch.as_ref().map(Into::into),
            file_state: landed_file_state(day.file_state),
            lines: day.lines.iter().map(Into::into).collect(),
            statement: &day.statement,
        }
    }
}

#[derive(Debug, Serialize)]
struct NumbersJson {
    active_users: i32,
    events: i64,
}

impl From<UsageNumbers> for NumbersJson {
    fn from(numbers: UsageNumbers) -> Self {
        Self { active_users: numbers.active_users, events: numbers.events }
    }
}

#[derive(Debug, Serialize)]
struct FetchJson<'a> {
    run_id: &'a str,
    fetch_time: Option<String>,
    landing_path: Option<&'a str>,
    quarantined_records: u64,
}

impl<'a> From<&'a DayFetch> for FetchJson<'a> {
    fn from(fetch: &'a DayFetch) -> Self {
        Self {
            run_id: &fetch.run_id,
            fetch_time: rfc3339(fetch.fetch_time.as_ref()),
            landing_path: non_empty(&fetch.landing_path),
            quarantined_records: fetch.quarantined_records,
        }
    }
}

#[derive(Debug, Serialize)]
struct LineJson<'a> {
    line: u64,
    page: Option<u64>,
    r#use: &'static str,
    numbers: Option<NumbersJson>,
    reason: Option<&'a str>,
}

impl<'a> From<&'a LandedLine> for LineJson<'a> {
    fn from(line: &'a LandedLine) -> Self {
        Self {
            line: line.line,
            page: line.page,
            r#use: landed_line_use(line.r#use),
            numbers: line.numbers.map(Into::into),
            reason: non_empty(&line.reason),
        }
    }
}

#[derive(Debug, Serialize)]
struct VersionJson<'a> {
    effective_from: &'a str,
    effective_to: Option<&'a str>,
    snapshot_date: &'a str,
    is_in_snapshot: bool,
    export_path: &'a str,
    archive_paths: &'a [String],
    run_id: Option<&'a str>,
    load_time: Option<String>,
    unreadable_columns: &'a [String],
}

impl<'a> From<&'a ExplainedVersion> for VersionJson<'a> {
    fn from(version: &'a ExplainedVersion) -> Self {
        Self {
            effective_from: &version.effective_from,
            effective_to: non_empty(&version.effective_to),
            snapshot_date: &version.snapshot_date,
            is_in_snapshot: version.is_in_snapshot,
            export_path: &version.export_path,
            archive_paths: &version.archive_paths,
            run_id: non_empty(&version.run_id),
            load_time: rfc3339(version.load_time.as_ref()),
            unreadable_columns: &version.unreadable_columns,
        }
    }
}

#[derive(Debug, Serialize)]
struct ChangeJson<'a> {
    publish_time: Option<String>,
    run_id: Option<&'a str>,
    kind: &'static str,
    before: Option<ActivityJson<'a>>,
    after: Option<ActivityJson<'a>>,
    columns: &'a [String],
    reasons: Vec<ReasonJson<'a>>,
}

impl<'a> From<&'a ExplainedChange> for ChangeJson<'a> {
    fn from(change: &'a ExplainedChange) -> Self {
        let reasons = change.reasons.iter().map(|ChangeReason { kind, dates, statement }| ReasonJson {
            kind: reason_kind(*kind),
            dates,
            statement,
        });
        Self {
            publish_time: rfc3339(change.publish_time.as_ref()),
            run_id: non_empty(&change.run_id),
            kind: change_kind(change.kind),
            before: change.before.as_ref().map(Into::into),
            after: change.after.as_ref().map(Into::into),
            columns: &change.columns,
            reasons: reasons.collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct ReasonJson<'a> {
    kind: &'static str,
    dates: &'a [String],
    statement: &'a str,
}
