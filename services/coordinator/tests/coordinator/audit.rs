//! What operators do is recorded before it is done, with how it ended.

use std::sync::Arc;

use async_trait::async_trait;
use proto::pipeline::v1::{
    AuditEntry, AuditOutcome, BackfillRequest, CancelRunRequest, ListAuditEntriesRequest, ListRunsRequest,
    RetryRunRequest, TriggerRunRequest, UnpublishDaysRequest,
};
use tonic::Code;
use uuid::Uuid;
use warehouse::{ActionEnd, AuditEntryId, AuditQuery, AuditTrail, Error, NewAuditEntry, Result};

use crate::suite::{Coordinator, Suite, window};

/// A trail on a full disk.
struct Full;

#[async_trait]
impl AuditTrail for Full {
    async fn record_action(&self, _: &NewAuditEntry) -> Result<AuditEntryId> {
        Err(Error::Precondition("the disk is full".to_owned()))
    }

    async fn record_end(&self, _: AuditEntryId, _: &ActionEnd) -> Result<()> {
        Ok(())
    }

    async fn audit_entries(&self, _: &AuditQuery, _: u32) -> Result<Vec<warehouse::AuditEntry>> {
        Ok(Vec::new())
    }
}

/// Every entry, read page by page.
async fn entries(coordinator: &Coordinator) -> Vec<AuditEntry> {
    let mut request = ListAuditEntriesRequest { page_size: 2, ..ListAuditEntriesRequest::default() };
    let mut entries = Vec::new();
    loop {
        let page = coordinator.client.clone().list_audit_entries(request.clone()).await.unwrap().into_inner();
        entries.extend(page.entries);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return entries;
        }
    }
}

#[tokio::test]
async fn every_action_is_recorded_with_how_it_ended_and_reading_is_not() {
    let suite = Suite::new().await;
    let coordinator = suite.start("coordinator-0");
    let mut client = coordinator.client.clone();
    let run = coordinator.trigger_day("2026-02-13").await;
    assert_eq!(run.requested_by, "anonymous");
    coordinator.ended(&run.run_id).await;
    coordinator.trigger().await;
    let nobody = Uuid::nil().to_string();
    client.cancel_run(CancelRunRequest { run_id: run.run_id.clone() }).await.unwrap_err();
    client.retry_run(RetryRunRequest { run_id: nobody.clone() }).await.unwrap_err();
    let days = Some(window("2026-02-12", "2026-02-12"));
    let request = BackfillRequest { window: days, force: true, ..BackfillRequest::default() };
    let mut updates = client.backfill(request).await.unwrap().into_inner();
    let backfilled = updates.message().await.unwrap().unwrap().run.unwrap();
    assert_eq!(backfilled.requested_by, "anonymous");
    while updates.message().await.unwrap().is_some() {}
    let unpublished = client.unpublish_days(UnpublishDaysRequest::default()).await.unwrap_err();
    assert_eq!(unpublished.code(), Code::InvalidArgument);
    client.list_runs(ListRunsRequest::default()).await.unwrap();

    let entries = entries(&coordinator).await;
    let shown: Vec<(&str, &str, AuditOutcome)> = entries
        .iter()
        .rev()
        .map(|entry| (entry.action.as_str(), entry.details.as_str(), entry.outcome()))
        .collect();
    let (cancelled, retried) = (format!("run {}", run.run_id), format!("run {nobody}"));
    assert_eq!(
        shown,
        [
            ("trigger", "2026-02-13..2026-02-13", AuditOutcome::Succeeded),
            ("trigger", "unpublished days", AuditOutcome::Succeeded),
            ("cancel", cancelled.as_str(), AuditOutcome::Refused),
            ("retry", retried.as_str(), AuditOutcome::Refused),
            ("backfill", "2026-02-12..2026-02-12, forced", AuditOutcome::Succeeded),
            ("unpublish", "no days", AuditOutcome::Refused),
        ]
    );
    let messages: Vec<&str> = entries.iter().rev().map(|entry| entry.message.as_str()).collect();
    assert_eq!(messages[0], format!("run {} created", run.run_id));
    assert_eq!(messages[1], format!("run {} found", run.run_id));
    assert!(messages[2].ends_with("has ended: it is SUCCEEDED"), "{messages:?}");
    assert_eq!(messages[4], "days to run: 1, runs: 1");
    assert!(entries.iter().all(|entry| entry.actor == "anonymous" && entry.end_time.is_some()));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let mut suite = Suite::new().await;
    let sound = suite.start("coordinator-0");
    let run = sound.trigger_day("2026-02-13").await;
    sound.ended(&run.run_id).await;
    suite.set_audit_trail(Arc::new(Full));
    let coordinator = suite.start("coordinator-1");
    let mut client = coordinator.client.clone();
    let request = TriggerRunRequest { force: true, ..TriggerRunRequest::default() };
    let refused = client.trigger_run(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("nothing was done, because the audit trail"), "{refused}");
    assert!(refused.message().ends_with("the disk is full"), "{refused}");
    let runs = client.list_runs(ListRunsRequest::default()).await.unwrap().into_inner().runs;
    assert_eq!(runs.len(), 1);
}
