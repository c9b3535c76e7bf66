//! Converts reconciliations to messages, and requests to reconciliations.

use std::collections::BTreeSet;

use contract::{
    FieldViolations,
    message::{difference_kind_to_proto, progress_to_proto, timestamp_to_proto, usage_numbers_to_proto},
};
use domain::{CompanyId, DateWindow, DifferenceKind};
use proto::reconciliation::v1::{
    DifferenceCount, LandedRecord, Mismatch as MismatchProto, ReconcileRequest, ReconcileResponse,
    ReconciliationSummary, reconcile_response::Update,
};

use crate::{
    error::Error,
    landed_answer::LandedPlace,
    reconcile::{Finding, MAX_RECONCILED_DAYS, Mismatch, Reconciliation, Summary},
};

/// The requested reconciliation.
///
/// # Errors
/// What is wrong with the request, by field.
pub(crate) fn parse(request: &ReconcileRequest) -> Result<Reconciliation, Error> {
    let mut violations = FieldViolations::default();
    let companies: BTreeSet<CompanyId> = request
        .company_ids
        .iter()
        .filter_map(|id| violations.keep("company_ids", CompanyId::parse(id)))
        .collect();
    let window = parse_window(request, &mut violations);
    match window {
        Some(window) if violations.is_empty() => Ok(Reconciliation {
            companies,
            window,
            sample_size: (request.sample_size > 0).then_some(request.sample_size as usize),
            sample_seed: request.sample_seed.clone(),
        }),
        _ => Err(violations.into()),
    }
}

fn parse_window(request: &ReconcileRequest, violations: &mut FieldViolations) -> Option<DateWindow> {
    let mut day = |field, text: &str| {
        let day = domain::date_window::parse_day(text);
        violations.keep(field, day.ok_or("must be a calendar day of the form YYYY-MM-DD"))
    };
    let (start, end) = (day("start_date", &request.start_date), day("end_date", &request.end_date));
    let window = violations.keep("end_date", DateWindow::new(start?, end?))?;
    if window.len_days() > MAX_RECONCILED_DAYS {
        let problem = format!("the window has {} days; {MAX_RECONCILED_DAYS} are allowed", window.len_days());
        violations.add("end_date", problem);
    }
    Some(window)
}

/// The message of a finding.
pub(crate) fn message(finding: Finding) -> ReconcileResponse {
    let update = match finding {
        Finding::Progress(progress) => Update::Progress(progress_to_proto(&progress)),
        Finding::Mismatch(mismatch) => Update::Mismatch(mismatch_to_proto(mismatch)),
        Finding::Summary(summary) => Update::Summary(summary_to_proto(&summary)),
    };
    ReconcileResponse { update: Some(update) }
}

fn mismatch_to_proto(mismatch: Mismatch) -> MismatchProto {
    let Mismatch { key, published, source, staged, difference, landed } = mismatch;
    MismatchProto {
        company_id: key.company_id.to_string(),
        activity_date: key.activity_date.to_string(),
        published: published.map(usage_numbers_to_proto),
        source: source.map(usage_numbers_to_proto),
        kind: difference_kind_to_proto(difference.kind()).into(),
        explanation: difference.to_string(),
        staged: staged.map(usage_numbers_to_proto),
        needs_rebuild: difference.needs_rebuild(),
        awaits_publish: difference.awaits_publish(),
        landed: landed.map(place_to_proto),
    }
}

fn place_to_proto(place: LandedPlace) -> LandedRecord {
    let LandedPlace { path, line, page, fetched_at, run_id } = place;
    LandedRecord {
        path: path.unwrap_or_default(),
        line: line.unwrap_or_default(),
        page: page.unwrap_or_default(),
        fetch_time: Some(timestamp_to_proto(fetched_at)),
        run_id: run_id.to_string(),
    }
}

fn summary_to_proto(summary: &Summary) -> ReconciliationSummary {
    let count = |(kind, count): (&DifferenceKind, &u64)| DifferenceCount {
        kind: difference_kind_to_proto(*kind).into(),
        count: *count,
    };
    ReconciliationSummary {
        compared: summary.compared,
        mismatches: summary.by_kind.values().sum(),
        invalid_records: summary.invalid_records,
        by_kind: summary.by_kind.iter().map(count).collect(),
        ..ReconciliationSummary::default()
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::StatusExt;

    use super::*;

    fn request(company_ids: &[&str], start: &str, end: &str) -> ReconcileRequest {
        ReconcileRequest {
            company_ids: company_ids.iter().map(ToString::to_string).collect(),
            start_date: start.to_owned(),
            end_date: end.to_owned(),
            ..ReconcileRequest::default()
        }
    }

    fn violated_fields(request: &ReconcileRequest) -> Vec<String> {
        let status = Status::from(parse(request).unwrap_err());
        assert_eq!(status.code(), Code::InvalidArgument);
        let bad = status.get_details_bad_request().unwrap();
        bad.field_violations.into_iter().map(|violation| violation.field).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_reported_by_field() {
        assert_eq!(
            violated_fields(&request(&["a", " "], "2026-1-1", "soon")),
            ["company_ids", "start_date", "end_date"]
        );
        assert_eq!(violated_fields(&request(&[], "2026-01-02", "2026-01-01")), ["end_date"]);
        assert_eq!(violated_fields(&request(&[], "2026-01-01", "2026-02-01")), ["end_date"]);
    }

    #[test]
    fn a_month_may_be_reconciled() {
        let asked = parse(&request(&["b", "a", "b"], "2026-01-01", "2026-01-31")).unwrap();
        assert_eq!(asked.window.len_days(), MAX_RECONCILED_DAYS);
        assert_eq!((asked.companies.len(), asked.sample_size), (2, None));
        let sampled = ReconcileRequest { sample_size: 7, ..request(&[], "2026-01-01", "2026-01-01") };
        assert_eq!(parse(&sampled).unwrap().sample_size, Some(7));
    }
}
