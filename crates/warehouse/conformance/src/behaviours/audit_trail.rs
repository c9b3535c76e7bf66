//! The audit trail: an action first, then how it ended, and nothing is changed.

use domain::{ActionOutcome, OperatorAction};
use warehouse_core::{ActionEnd, AuditEntry, AuditEntryId, AuditQuery, NewAuditEntry};

use crate::engine::EngineUnderTest;
use crate::scene::at;

fn action(action: OperatorAction, hour: i64) -> NewAuditEntry {
    NewAuditEntry {
        action,
        actor: "token:alice".to_owned(),
        address: Some("192.0.2.7:40312".to_owned()),
        details: "2026-01-01, forced".to_owned(),
        requested_at: at(hour),
    }
}

fn end(outcome: ActionOutcome, hour: i64) -> ActionEnd {
    ActionEnd { outcome, message: "run 7 created".to_owned(), ended_at: at(hour) }
}

async fn entries(warehouse: &EngineUnderTest, query: AuditQuery, limit: u32) -> Vec<AuditEntry> {
    warehouse.audit_entries(&query, limit).await.unwrap()
}

/// An action is in the trail before it is done, and then with its end.
pub async fn an_action_is_listed_with_its_end_once_that_is_known(warehouse: EngineUnderTest) {
    let all = AuditQuery::default();
    assert_eq!(entries(&warehouse, all.clone(), 10).await, []);
    let new = action(OperatorAction::Trigger, 1);
    let id = warehouse.record_action(&new).await.unwrap();
    let begun = AuditEntry {
        id,
        action: "trigger".to_owned(),
        actor: new.actor,
        address: new.address,
        details: new.details,
        requested_at: new.requested_at,
        end: None,
    };
    assert_eq!(entries(&warehouse, all.clone(), 10).await, std::slice::from_ref(&begun));
    for outcome in [ActionOutcome::Succeeded, ActionOutcome::Refused, ActionOutcome::Failed] {
        let id = warehouse.record_action(&action(OperatorAction::Trigger, 1)).await.unwrap();
        warehouse.record_end(id, &end(outcome, 2)).await.unwrap();
        let newest = entries(&warehouse, all.clone(), 1).await;
        assert_eq!(newest, [AuditEntry { id, end: Some(end(outcome, 2)), ..begun.clone() }]);
    }
}

/// The first end that was recorded stays; an action that nobody recorded has none.
pub async fn the_end_of_an_action_is_recorded_once(warehouse: EngineUnderTest) {
    let new = NewAuditEntry { address: None, ..action(OperatorAction::Migrate, 1) };
    let id = warehouse.record_action(&new).await.unwrap();
    warehouse.record_end(id, &end(ActionOutcome::Failed, 2)).await.unwrap();
    warehouse.record_end(id, &end(ActionOutcome::Succeeded, 3)).await.unwrap_err();
    warehouse.record_end(AuditEntryId(id.0 + 1), &end(ActionOutcome::Succeeded, 3)).await.unwrap_err();
    let listed = entries(&warehouse, AuditQuery::default(), 10).await;
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].end, &listed[0].address), (&Some(end(ActionOutcome::Failed, 2)), &None));
}

/// The newest entries come first; pages, actions and times select among them.
pub async fn entries_are_listed_newest_first_and_by_what_is_asked(warehouse: EngineUnderTest) {
    let mut ids = Vec::new();
    for (hour, done) in (0..).zip([
        OperatorAction::Trigger,
        OperatorAction::Cancel,
        OperatorAction::Retry,
        OperatorAction::Cancel,
        OperatorAction::LogLevel,
    ]) {
        ids.push(warehouse.record_action(&action(done, hour)).await.unwrap());
    }
    assert!(ids.is_sorted_by(|earlier, later| earlier < later));
    let listed = async |query: AuditQuery, limit: u32| -> Vec<AuditEntryId> {
        entries(&warehouse, query, limit).await.into_iter().map(|entry| entry.id).collect()
    };
    let all = AuditQuery::default();
    assert_eq!(listed(all.clone(), 2).await, [ids[4], ids[3]]);
    let next = AuditQuery { before: Some(ids[3]), ..all.clone() };
    assert_eq!(listed(next, 2).await, [ids[2], ids[1]]);
    let cancelled = AuditQuery { actions: vec![OperatorAction::Cancel], ..all.clone() };
    assert_eq!(listed(cancelled.clone(), 10).await, [ids[3], ids[1]]);
    let recently = AuditQuery { since: Some(at(3)), ..all };
    assert_eq!(listed(recently, 10).await, [ids[4], ids[3]]);
    let both = AuditQuery {
        since: Some(at(2)),
        actions: vec![OperatorAction::Cancel, OperatorAction::Trigger],
        before: Some(ids[4]),
    };
    assert_eq!(listed(both, 10).await, [ids[3]]);
}
