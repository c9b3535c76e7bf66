//! Calls: how many, how often, and how long their answers wait.

use std::{sync::atomic::Ordering, time::Duration};

use proto::activity::v1::{ExportCompanyActivityRequest, GetFreshnessRequest, ListCompanyActivityRequest};
use runtime::Limits;
use tokio::time::timeout;
use tonic::{Code, Request, metadata::MetadataValue};
use tonic_types::StatusExt;

use crate::support::{IN_TIME, Server, until};

fn wait_of(status: &tonic::Status) -> Duration {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    status.get_details_retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test]
async fn a_caller_with_too_many_calls_is_asked_to_wait_and_probes_are_answered() {
    let server = Server::within(Limits { calls: 4, ..Limits::default() }).await;
    let client = server.client();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let mut client = client.clone();
        waiting
            .spawn(async move { client.list_company_activity(ListCompanyActivityRequest::default()).await });
    }
    until(|| server.handlers.lists.load(Ordering::SeqCst) == 2).await;
    let refusal = client.clone().get_freshness(GetFreshnessRequest {}).await.unwrap_err();
    assert!(!wait_of(&refusal).is_zero());
    assert!(refusal.message().contains("--max-calls"), "{refusal:?}");
    assert!(server.is_healthy().await);
    // Streams have places of their own.
    let mut other = client.clone();
    assert!(other.export_company_activity(ExportCompanyActivityRequest::default()).await.is_ok());
    waiting.shutdown().await;
    until(|| server.handlers.lists.load(Ordering::SeqCst) == 0).await;
    client.clone().get_freshness(GetFreshnessRequest {}).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_calls_too_often_learns_when_to_come_back() {
    let server = Server::within(Limits { calls_per_second: 2, ..Limits::default() }).await;
    let mut client = server.client();
    for _ in 0..4 {
        client.get_freshness(GetFreshnessRequest {}).await.unwrap();
    }
    let refusal = client.get_freshness(GetFreshnessRequest {}).await.unwrap_err();
    assert!(wait_of(&refusal) <= Duration::from_millis(500), "{refusal:?}");
    assert!(server.is_healthy().await);
}

#[tokio::test]
async fn a_response_that_nobody_reads_is_ended_and_gives_back_what_it_holds() {
    let unread = Duration::from_millis(50);
    let server = Server::within(Limits { unread, ..Limits::default() }).await;
    let mut client = server.client();
    let answer = client.export_company_activity(ExportCompanyActivityRequest::default()).await.unwrap();
    let mut export = answer.into_inner();
    until(|| server.handlers.exports.load(Ordering::SeqCst) == 0).await;
    let end = async {
        loop {
            match export.message().await {
                Ok(Some(_)) => {}
                end => return end,
            }
        }
    };
    let status = timeout(IN_TIME, end).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(status.message().contains("not read"), "{status:?}");
}

#[tokio::test]
async fn a_huge_list_of_headers_costs_its_sender_the_call() {
    let server = Server::within(Limits::default()).await;
    let mut client = server.client();
    let mut request = Request::new(GetFreshnessRequest {});
    for number in 0..64 {
        let key = tonic::metadata::MetadataKey::from_bytes(format!("x-{number}").as_bytes()).unwrap();
        request.metadata_mut().insert(key, MetadataValue::try_from("a".repeat(1_024)).unwrap());
    }
    assert!(client.get_freshness(request).await.is_err());
    client.get_freshness(GetFreshnessRequest {}).await.unwrap();
}
