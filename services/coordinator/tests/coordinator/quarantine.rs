//! The quarantine as callers of the coordinator see it.

use proto::{
    pipeline::v1::ListAuditEntriesRequest,
    quarantine::v1::{
        AcceptQuarantinedRowsRequest, CountQuarantinedRowsRequest, GetQuarantinedRowRequest,
        ListQuarantinedRowsRequest, QuarantineFilter, QuarantineState, ReplayQuarantinedRowsRequest,
    },
};
use tonic::Code;
use warehouse_conformance::{
    scene::{at, days, hold_run_of, rejected},
    usage_scene::unreadable_of,
};

use crate::suite::{Coordinator, Suite};

/// Two rejected records of a day that is loaded.
async fn two_rows(suite: &Suite) {
    let run = hold_run_of(&suite.warehouse, "pl_other", days(0, 0), at(0)).await;
    let fence = run.begin(domain::run::STAGE_CALL_PRODUCT_API).await;
    let rows = vec![unreadable_of(1, "acme"), rejected(2, "torn", "x")];
    run.load_usage(&fence, warehouse_conformance::scene::day(0), rows).await.unwrap();
    run.cancel().await;
}

fn of_line(line: u64) -> Option<QuarantineFilter> {
    let origin = warehouse_conformance::scene::usage_day(warehouse_conformance::scene::day(0)).landing_path;
    Some(QuarantineFilter { origin: origin.unwrap(), line, ..QuarantineFilter::default() })
}

/// The actions on record, the oldest first, each with its details and its message.
async fn trail(coordinator: &Coordinator) -> Vec<(String, String, String)> {
    let entries = coordinator.client.clone().list_audit_entries(ListAuditEntriesRequest::default()).await;
    let entries = entries.unwrap().into_inner().entries.into_iter().rev();
    entries.map(|entry| (entry.action, entry.details, entry.message)).collect()
}

#[tokio::test]
async fn rows_are_listed_in_pages_and_found_by_their_place() {
    let suite = Suite::new().await;
    two_rows(&suite).await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.quarantine();
    let asked = ListQuarantinedRowsRequest { page_size: 1, ..ListQuarantinedRowsRequest::default() };
    let first = client.list_quarantined_rows(asked.clone()).await.unwrap().into_inner();
    let asked = ListQuarantinedRowsRequest { page_token: first.next_page_token, ..asked };
    let second = client.list_quarantined_rows(asked).await.unwrap().into_inner();
    assert_eq!((first.rows[0].line, second.rows[0].line, second.next_page_token.as_str()), (1, 2, ""));
    let row = &second.rows[0];
    assert_eq!((row.kind.as_str(), row.reason.as_str(), row.raw.as_str()), ("MALFORMED", "torn", "x"));
    assert_eq!(row.business_date, "2026-01-01");

    let place = GetQuarantinedRowRequest { origin: row.origin.clone(), line: 2 };
    assert_eq!(client.get_quarantined_row(place.clone()).await.unwrap().into_inner().row.as_ref(), Some(row));
    let missing =
        client.get_quarantined_row(GetQuarantinedRowRequest { line: 3, ..place }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let counted = client.count_quarantined_rows(CountQuarantinedRowsRequest::default()).await.unwrap();
    assert_eq!(counted.into_inner().groups.iter().map(|group| group.rows).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn accepting_and_replaying_are_on_record() {
    let suite = Suite::new().await;
    two_rows(&suite).await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.quarantine();
    let accept =
        AcceptQuarantinedRowsRequest { filter: of_line(1), why: "a test".into(), expected_rows: Some(1) };
    let nothing = AcceptQuarantinedRowsRequest { why: " ".into(), ..accept.clone() };
    assert_eq!(client.accept_quarantined_rows(nothing).await.unwrap_err().code(), Code::InvalidArgument);
    let everything = AcceptQuarantinedRowsRequest { filter: None, expected_rows: None, ..accept.clone() };
    assert_eq!(client.accept_quarantined_rows(everything).await.unwrap_err().code(), Code::InvalidArgument);
    let others = AcceptQuarantinedRowsRequest { expected_rows: Some(2), ..accept.clone() };
    assert_eq!(client.accept_quarantined_rows(others).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(client.accept_quarantined_rows(accept).await.unwrap().into_inner().accepted, 1);
    let filter =
        Some(QuarantineFilter { state: QuarantineState::Accepted.into(), ..QuarantineFilter::default() });
    let asked = ListQuarantinedRowsRequest { filter, ..ListQuarantinedRowsRequest::default() };
    let accepted = client.list_quarantined_rows(asked).await.unwrap().into_inner().rows;
    let acceptance = accepted[0].acceptance.as_ref().unwrap();
    assert_eq!((acceptance.accepted_by.as_str(), acceptance.why.as_str()), ("anonymous", "a test"));

    let open = QuarantineFilter { state: QuarantineState::Open.into(), ..QuarantineFilter::default() };
    let asked = ReplayQuarantinedRowsRequest { filter: Some(open), ..Default::default() };
    let replayed = client.replay_quarantined_rows(asked).await.unwrap();
    let replayed = replayed.into_inner();
    assert!(replayed.created);
    let run = replayed.run.unwrap();
    assert_eq!((replayed.deliveries.len(), replayed.deliveries[0].rows), (1, 1));
    assert!(replayed.deliveries[0].was_loaded);
    assert_eq!(replayed.delivery_count, 1);
    let still_open =
        of_line(1).map(|filter| QuarantineFilter { state: QuarantineState::Open.into(), ..filter });
    let asked = ReplayQuarantinedRowsRequest { filter: still_open, ..Default::default() };
    let nothing = client.replay_quarantined_rows(asked).await.unwrap().into_inner();
    assert_eq!((nothing.run, nothing.deliveries.len()), (None, 0));
    // A delivery that was refused is loaded once its rows are accepted.
    let asked = ReplayQuarantinedRowsRequest { filter: of_line(1), ..Default::default() };
    let accepted = client.replay_quarantined_rows(asked).await.unwrap().into_inner();
    assert!(accepted.run.is_some() && accepted.deliveries[0].was_loaded);

    let trail = trail(&coordinator).await;
    let entry = |at: usize| {
        let (action, details, message) = &trail[at];
        (action.as_str(), details.as_str(), message.as_str())
    };
    let place = format!("file {}, line 1", of_line(1).unwrap().origin);
    assert_eq!(entry(3), ("quarantine-accept", &*format!("{place}, because: a test"), "rows accepted: 1"));
    let message = format!("files and days to load again: 1; run {} created", run.run_id);
    assert_eq!(entry(4), ("quarantine-replay", "all rows", message.as_str()));
    assert_eq!(entry(5), ("quarantine-replay", &*place, "no such row is in quarantine"));
}
