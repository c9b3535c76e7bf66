//! Converts explanations to messages, and requests to company-days.

use contract::{
    FieldViolations,
    message::{fact_row_to_proto, publication_to_proto, timestamp_to_proto},
};
use domain::{
    CompanyId, Explanation, FactKey, FactRow, UsageNumbers,
    date_window::parse_day,
    explanation::{Agreement, Cell, Change, ChangeKind, Reason, ReasonKind, Standing},
    provenance::{CrmProvenance, Fetch, UsageProvenance},
};
use proto::{
    activity::v1::CompanyActivity,
    reconciliation::v1::{
        Agreement as AgreementProto, CellPart, ChangeKind as ChangeKindProto, ChangeReason, DayFetch,
        ExplainRequest, ExplainedCell, ExplainedChange, ExplainedDay, ExplainedVersion,
        Explanation as ExplanationProto, LandedFileState, LandedLine as LandedLineProto, LandedLineUse,
        ReasonKind as ReasonKindProto, Standing as StandingProto, UsageNumbers as UsageNumbersProto,
    },
};

use crate::{
    crm_message,
    error::Error,
    landed_lines::{FileState, LandedFile, LandedLine, LineContent},
    landed_words,
};

/// The requested company-day.
///
/// # Errors
/// What is wrong with the request, by field.
pub(crate) fn parse(request: &ExplainRequest) -> Result<FactKey, Error> {
    let mut violations = FieldViolations::default();
    let company_id = violations.keep("company_id", CompanyId::parse(&request.company_id));
    let day = parse_day(&request.activity_date).ok_or("must be a calendar day of the form YYYY-MM-DD");
    let activity_date = violations.keep("activity_date", day);
    match (company_id, activity_date) {
        (Some(company_id), Some(activity_date)) => Ok(FactKey { company_id, activity_date }),
        _ => Err(violations.into()),
    }
}

/// An explanation as a message; `files` are the landed files of its days.
pub(crate) fn explanation(explanation: Explanation, files: Vec<LandedFile>) -> ExplanationProto {
    let Explanation {
        key,
        standing,
        statements,
        published,
        publication,
        written_by,
        staged,
        agreement,
        cells,
        usage,
        crm,
        crm_statements,
        changes,
    } = explanation;
    ExplanationProto {
        company_id: key.company_id.into_string(),
        activity_date: key.activity_date.to_string(),
        standing: standing_to_proto(standing).into(),
        statements,
        published: published.map(fact_row_to_proto),
        publication: publication.map(publication_to_proto),
        written_by: written_by.unwrap_or_default(),
        staged: staged.map(unpublished),
        agreement: agreement_to_proto(agreement).into(),
        cells: cells.into_iter().map(cell).collect(),
        days: usage.into_iter().zip(files).map(|(usage, file)| day(&usage, file)).collect(),
        crm_version: version(&crm),
        crm_statements,
        changes: changes.into_iter().map(change).collect(),
    }
}

/// A row that was not published, and so has no time.
fn unpublished(row: FactRow) -> CompanyActivity {
    CompanyActivity { loaded_at: None, ..fact_row_to_proto(row) }
}

const fn standing_to_proto(standing: Standing) -> StandingProto {
    match standing {
        Standing::Published => StandingProto::Published,
        Standing::NoRow => StandingProto::NoRow,
        Standing::DayNotPublished => StandingProto::DayNotPublished,
    }
}

const fn agreement_to_proto(agreement: Option<Agreement>) -> AgreementProto {
    match agreement {
        None => AgreementProto::Unspecified,
        Some(Agreement::Equal) => AgreementProto::Equal,
        Some(Agreement::Waiting) => AgreementProto::Waiting,
        Some(Agreement::Unexplained) => AgreementProto::Unexplained,
    }
}

fn cell(cell: Cell) -> ExplainedCell {
    let Cell { column, rule, reckoning, parts, differs } = cell;
    let parts = parts.into_iter().map(|part| CellPart { date: part.day.to_string(), number: part.number });
    ExplainedCell { column: column.to_owned(), rule, reckoning, parts: parts.collect(), differs }
}

fn day(usage: &UsageProvenance, file: LandedFile) -> ExplainedDay {
    let statement = landed_words::statement(usage, &file);
    ExplainedDay {
        date: usage.day.to_string(),
        record: usage.record.map(numbers),
        fetch: usage.fetch.as_ref().map(fetch),
        file_state: file_state(file.state).into(),
        lines: file.lines.into_iter().map(landed_line).collect(),
        statement,
    }
}

const fn numbers(numbers: UsageNumbers) -> UsageNumbersProto {
    UsageNumbersProto { active_users: numbers.active_users, events: numbers.events }
}

fn fetch(fetch: &Fetch) -> DayFetch {
    DayFetch {
        run_id: fetch.run_id.clone(),
        fetch_time: Some(timestamp_to_proto(fetch.fetched_at)),
        landing_path: fetch.landing_path.clone().unwrap_or_default(),
        quarantined_records: fetch.quarantined,
    }
}

const fn file_state(state: FileState) -> LandedFileState {
    match state {
        FileState::None | FileState::Unread => LandedFileState::Unspecified,
        FileState::Present => LandedFileState::Present,
        FileState::Gone => LandedFileState::Gone,
        FileState::Replaced => LandedFileState::Replaced,
        FileState::Unreadable => LandedFileState::Unreadable,
    }
}

fn landed_line(line: LandedLine) -> LandedLineProto {
    let LandedLine { line, page, content } = line;
    let (usage, says, reason) = match content {
        LineContent::Counts(says) => (LandedLineUse::Counts, Some(says), String::new()),
        LineContent::Repeated(says) => (LandedLineUse::Repeated, Some(says), String::new()),
        LineContent::Superseded(says) => (LandedLineUse::Superseded, Some(says), String::new()),
        LineContent::Rejected(reason) => (LandedLineUse::Rejected, None, landed_words::unread(&reason)),
    };
    LandedLineProto { line, page, r#use: usage.into(), numbers: says.map(numbers), reason }
}

fn version(crm: &CrmProvenance) -> Option<ExplainedVersion> {
    let (version, snapshot) = (crm.version.as_ref()?, crm.snapshot.as_ref()?);
    let (run_id, loaded_at) = version.export.loaded.clone().unzip();
    Some(ExplainedVersion {
        effective_from: version.from.to_string(),
        effective_to: version.to.map(|day| day.to_string()).unwrap_or_default(),
        snapshot_date: snapshot.on.to_string(),
        is_in_snapshot: crm.is_member(),
        export_path: version.export.path.clone(),
        archive_paths: crm_message::archive_paths(&version.export),
        run_id: run_id.unwrap_or_default(),
        load_time: loaded_at.map(timestamp_to_proto),
        unreadable_columns: crm_message::unreadable_columns(version.unread),
    })
}

fn change(change: Change) -> ExplainedChange {
    let Change { published_at, run_id, kind, before, after, columns, reasons } = change;
    ExplainedChange {
        publish_time: Some(timestamp_to_proto(published_at)),
        run_id: run_id.unwrap_or_default(),
        kind: change_kind(kind).into(),
        before: before.map(fact_row_to_proto),
        after: after.map(fact_row_to_proto),
        columns: columns.into_iter().map(str::to_owned).collect(),
        reasons: reasons.into_iter().map(reason).collect(),
    }
}

const fn change_kind(kind: ChangeKind) -> ChangeKindProto {
    match kind {
        ChangeKind::FirstPublished => ChangeKindProto::FirstPublished,
        ChangeKind::OldestOnRecord => ChangeKindProto::OldestOnRecord,
        ChangeKind::BecameKnown => ChangeKindProto::BecameKnown,
        ChangeKind::Changed => ChangeKindProto::Changed,
        ChangeKind::Removed => ChangeKindProto::Removed,
        ChangeKind::TakenBack => ChangeKindProto::TakenBack,
        ChangeKind::PublishedAgain => ChangeKindProto::PublishedAgain,
    }
}

fn reason(reason: Reason) -> ChangeReason {
    let Reason { kind, days, statement } = reason;
    let kind = match kind {
        ReasonKind::LateRecord => ReasonKindProto::LateRecord,
        ReasonKind::Correction => ReasonKindProto::Correction,
        ReasonKind::RecordGone => ReasonKindProto::RecordGone,
        ReasonKind::UnpublishedDays => ReasonKindProto::UnpublishedDays,
        ReasonKind::CrmChange => ReasonKindProto::CrmChange,
        ReasonKind::Rebuild => ReasonKindProto::Rebuild,
    };
    let dates = days.into_iter().map(|day| day.to_string()).collect();
    ChangeReason { kind: kind.into(), dates, statement }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_request_is_reported_by_field() {
        let request = |company_id: &str, activity_date: &str| ExplainRequest {
            company_id: company_id.to_owned(),
            activity_date: activity_date.to_owned(),
        };
        let key = parse(&request(" 007 ", "2026-01-05")).unwrap();
        assert_eq!((key.company_id.as_str(), key.activity_date.to_string().as_str()), ("007", "2026-01-05"));
        let Error::InvalidRequest(violations) = parse(&request("", "yesterday")).unwrap_err() else {
            panic!("another error");
        };
        let fields: Vec<_> = violations.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["company_id", "activity_date"]);
    }
}
