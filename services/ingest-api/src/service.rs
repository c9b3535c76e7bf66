//! `ReconciliationService`: converts between messages and the operations behind them.

use std::{collections::BTreeSet, pin::Pin};

use async_trait::async_trait;
use contract::FieldViolations;
use domain::{CompanyId, DateWindow};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use proto::reconciliation::v1::{
    ExplainRequest, ExplainResponse, Mismatch as MismatchProto, PreviewRequest, PreviewResponse,
    ReconcileRequest, ReconcileResponse, ReconciliationSummary, UsageNumbers, reconcile_response::Update,
    reconciliation_service_server::ReconciliationService,
};
use tonic::{Request, Response, Status};

use crate::{
    error::Error,
    explain::Explainer,
    explain_message,
    preview::Previewer,
    preview_message,
    reconcile::{Finding, MAX_RECONCILED_DAYS, Mismatch, Numbers, Reconciler, Reconciliation, Summary},
};

/// The gRPC layer of the reconciler, the previewer and the explainer.
pub(crate) struct ReconciliationHost {
    pub(crate) reconciler: Reconciler,
    pub(crate) previewer: Previewer,
    pub(crate) explainer: Explainer,
}

#[async_trait]
impl ReconciliationService for ReconciliationHost {
    type ReconcileStream = Pin<Box<dyn Stream<Item = Result<ReconcileResponse, Status>> + Send>>;
    type PreviewStream = Pin<Box<dyn Stream<Item = Result<PreviewResponse, Status>> + Send>>;

    async fn reconcile(
        &self,
        request: Request<ReconcileRequest>,
    ) -> Result<Response<Self::ReconcileStream>, Status> {
        let asked = parse(&request.into_inner())?;
        let findings = self.reconciler.clone().reconcile(asked)?;
        let responses = findings.map(|finding| finding.map(finding_to_proto).map_err(Status::from));
        Ok(Response::new(responses.boxed()))
    }

    async fn preview(
        &self,
        request: Request<PreviewRequest>,
    ) -> Result<Response<Self::PreviewStream>, Status> {
        let asked = preview_message::parse(request.get_ref())?;
        let steps = self.previewer.clone().preview(asked)?;
        let messages = |step| stream::iter(preview_message::messages(step).into_iter().map(Ok::<_, Error>));
        Ok(Response::new(steps.map_ok(messages).try_flatten().map_err(Status::from).boxed()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainResponse>, Status> {
        let key = explain_message::parse(request.get_ref())?;
        let (explanation, files) = self.explainer.explain(&key).await?;
        let explanation = Some(explain_message::explanation(explanation, files));
        Ok(Response::new(ExplainResponse { explanation }))
    }
}

fn parse(request: &ReconcileRequest) -> Result<Reconciliation, Error> {
    let mut violations = FieldViolations::default();
    let companies: BTreeSet<CompanyId> = request
        .company_ids
        .iter()
        .filter_map(|id| violations.keep("company_ids", CompanyId::parse(id)))
        .collect();
    let window = parse_window(request, &mut violations);
    match window {
        Some(window) if violations.is_empty() => Ok(Reconciliation { companies, window }),
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

fn finding_to_proto(finding: Finding) -> ReconcileResponse {
    let update = match finding {
        Finding::Mismatch(Mismatch { key, published, source }) => Update::Mismatch(MismatchProto {
            company_id: key.company_id.to_string(),
            activity_date: key.activity_date.to_string(),
            published: published.map(numbers_to_proto),
            source: source.map(numbers_to_proto),
        }),
        Finding::Summary(Summary { compared, mismatches, invalid_records }) => {
            Update::Summary(ReconciliationSummary { compared, mismatches, invalid_records })
        }
    };
    ReconcileResponse { update: Some(update) }
}

const fn numbers_to_proto(numbers: Numbers) -> UsageNumbers {
    UsageNumbers { active_users: numbers.active_users, events: numbers.events }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt;

    use super::*;

    fn request(company_ids: &[&str], start: &str, end: &str) -> ReconcileRequest {
        ReconcileRequest {
            company_ids: company_ids.iter().map(ToString::to_string).collect(),
            start_date: start.to_owned(),
            end_date: end.to_owned(),
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
        assert_eq!(asked.companies.len(), 2);
    }
}
