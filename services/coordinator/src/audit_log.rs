//! The audit trail, as callers list it.

use contract::{
    FieldViolations,
    message::{timestamp_from_proto, timestamp_to_proto},
};
use domain::{ActionOutcome, OperatorAction};
use proto::pipeline::v1::{
    AuditEntry as AuditEntryProto, AuditOutcome as AuditOutcomeProto, ListAuditEntriesRequest,
    ListAuditEntriesResponse,
};
use warehouse::{AuditEntry, AuditEntryId, AuditQuery, AuditTrail};

use crate::{convert::page_size, error::Error};

/// A page of the trail, the newest entry first.
pub(crate) async fn list(
    trail: &dyn AuditTrail,
    asked: ListAuditEntriesRequest,
) -> Result<ListAuditEntriesResponse, Error> {
    let limit = page_size(asked.page_size)?;
    // One more than requested, to learn whether another page follows.
    let mut entries = trail.audit_entries(&query(asked)?, limit.saturating_add(1)).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| has_more).map(|entry| page_token(entry.id));
    Ok(ListAuditEntriesResponse {
        entries: entries.into_iter().map(entry).collect(),
        next_page_token: next.unwrap_or_default(),
    })
}

fn query(asked: ListAuditEntriesRequest) -> Result<AuditQuery, FieldViolations> {
    let ListAuditEntriesRequest { page_size: _, page_token, since, actions } = asked;
    let since = since.map(|since| {
        timestamp_from_proto(&since).ok_or_else(|| FieldViolations::of("since", "is no time of the calendar"))
    });
    let action = |name: &String| {
        let problem = || FieldViolations::of("actions", format!("{name:?} is no action that is recorded"));
        OperatorAction::parse(name).ok_or_else(problem)
    };
    Ok(AuditQuery {
        since: since.transpose()?,
        actions: actions.iter().map(action).collect::<Result<_, _>>()?,
        before: before(&page_token)?,
    })
}

/// The token for the page after an entry; opaque to callers.
fn page_token(AuditEntryId(id): AuditEntryId) -> String {
    format!("{id:x}")
}

/// Where a token's page starts; `None` for the first page.
fn before(token: &str) -> Result<Option<AuditEntryId>, FieldViolations> {
    if token.is_empty() {
        return Ok(None);
    }
    match i64::from_str_radix(token, 16) {
        // Other spellings of a number were never issued.
        Ok(id) if page_token(AuditEntryId(id)) == token => Ok(Some(AuditEntryId(id))),
        _ => Err(FieldViolations::of(
            "page_token",
            "is none that this service gave; leave it empty to start over",
        )),
    }
}

fn entry(entry: AuditEntry) -> AuditEntryProto {
    let outcome = match entry.end.as_ref().map(|end| end.outcome) {
        None => AuditOutcomeProto::Unspecified,
        Some(ActionOutcome::Succeeded) => AuditOutcomeProto::Succeeded,
        Some(ActionOutcome::Refused) => AuditOutcomeProto::Refused,
        Some(ActionOutcome::Failed) => AuditOutcomeProto::Failed,
    };
    AuditEntryProto {
        entry_id: entry.id.0,
        action: entry.action,
        actor: entry.actor,
        address: entry.address.unwrap_or_default(),
        details: entry.details,
        request_time: Some(timestamp_to_proto(entry.requested_at)),
        outcome: outcome.into(),
        end_time: entry.end.as_ref().map(|end| timestamp_to_proto(end.ended_at)),
        message: entry.end.map(|end| end.message).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violated(asked: ListAuditEntriesRequest) -> Vec<&'static str> {
        query(asked).unwrap_err().iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn what_cannot_be_asked_is_refused_by_field() {
        let asked = ListAuditEntriesRequest::default;
        assert_eq!(query(asked()), Ok(AuditQuery::default()));
        assert_eq!(
            violated(ListAuditEntriesRequest { actions: vec!["reboot".into()], ..asked() }),
            ["actions"]
        );
        for token in ["next", "0ff", "FF"] {
            let asked = ListAuditEntriesRequest { page_token: token.into(), ..asked() };
            assert_eq!(violated(asked), ["page_token"], "{token}");
        }
        let since = Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 });
        assert_eq!(violated(ListAuditEntriesRequest { since, ..asked() }), ["since"]);
    }

    #[test]
    fn a_page_token_leads_back_to_its_entry() {
        assert_eq!(before(&page_token(AuditEntryId(255))), Ok(Some(AuditEntryId(255))));
    }
}
