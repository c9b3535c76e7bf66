//! Issuers whose keys are fetched: discovery, its limits, and what happens when they are down.

use std::time::Duration;

use serde_json::json;
use tokio::{net::TcpListener, time::Instant};
use tonic::Code;
use tonic_types::StatusExt;

use crate::support::{
    Behaviour, Folder, IssuerServer, READ, Signer, answer, claims, key_set, name, policy_of, refused,
    with_token,
};

#[tokio::test]
async fn keys_are_discovered_once_for_many_tokens() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let access = Folder::new().access_by(&issuer);
    let token = signer.sign(&claims(&issuer.url));
    let calls = (0..50).map(|_| name(&access, with_token(READ, &token)));
    assert!(futures::future::join_all(calls).await.iter().all(|name| name == "people:alice"));
    assert_eq!((issuer.discoveries(), issuer.key_requests()), (1, 1));
}

#[tokio::test]
async fn keys_at_a_known_address_need_no_discovery() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let more = format!("jwks_uri: {}/keys", issuer.url);
    let access = Folder::new().access(&policy_of("kubernetes/serviceaccount", &more));
    let token = signer.sign(&claims("kubernetes/serviceaccount"));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    assert_eq!((issuer.discoveries(), issuer.key_requests()), (0, 1));
}

#[tokio::test]
async fn an_issuer_may_ask_for_a_token_itself_and_gets_the_newest() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    issuer.demand("second");
    let folder = Folder::new();
    folder.write("token", "first\n");
    let access = folder.access(&policy_of(&issuer.url, "token_file: token"));
    let token = signer.sign(&claims(&issuer.url));
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    folder.write("token", "second\n");
    folder.clock.advance(10);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
}

#[tokio::test]
async fn nobody_is_turned_away_for_an_issuer_that_does_not_answer_as_it_should() {
    let signer = Signer::ed("d");
    for behaviour in [
        Behaviour::Failing,
        Behaviour::Redirecting,
        Behaviour::Flooding,
        Behaviour::Impersonating,
        Behaviour::Babbling,
    ] {
        let issuer = IssuerServer::start(&[&signer]).await;
        issuer.behave(behaviour);
        let folder = Folder::new();
        let access = folder.access_by(&issuer);
        let token = signer.sign(&claims(&issuer.url));
        let status = answer(&access, with_token(READ, &token)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().starts_with("the keys of people cannot be read at the moment"));
        let retry = status.get_details_retry_info().unwrap();
        assert_eq!(retry.retry_delay.unwrap().as_secs(), 10);
        // Not asked again at once, and fine as soon as it is well.
        issuer.behave(Behaviour::Good);
        let before = issuer.discoveries();
        refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
        assert_eq!(issuer.discoveries(), before);
        folder.clock.advance(10);
        assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    }
}

#[tokio::test]
async fn a_key_set_that_is_too_large_or_has_no_usable_key_is_not_taken() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[]).await;
    let folder = Folder::new();
    let access = folder.access(&policy_of(&issuer.url, &format!("jwks_uri: {}/keys", issuer.url)));
    let token = signer.sign(&claims(&issuer.url));
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    issuer.publish(&[&signer]);
    issuer.behave(Behaviour::Flooding);
    folder.clock.advance(10);
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    issuer.behave(Behaviour::Redirecting);
    folder.clock.advance(10);
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    assert_eq!(issuer.key_requests(), 3);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_no_fault_of_the_caller() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    let access = Folder::new().access(&policy_of(&url, ""));
    let token = Signer::ed("d").sign(&claims(&url));
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    // What is bad whatever the keys are is refused all the same.
    let mut claims = claims(&url);
    claims["exp"] = json!(1);
    let expired = Signer::ed("d").sign(&claims);
    refused(answer(&access, with_token(READ, expired)).await, Code::Unauthenticated);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_never_answers_is_given_up() {
    // The kernel accepts the connection; nobody reads from it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let access = Folder::new().access(&policy_of(&url, ""));
    let token = Signer::ed("d").sign(&claims(&url));
    let began = Instant::now();
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test]
async fn known_keys_go_on_for_a_day_without_their_issuer() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let mut claims = claims(&issuer.url);
    claims["exp"] = json!(folder.clock.now() + 1_000_000);
    let token = signer.sign(&claims);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    issuer.behave(Behaviour::Failing);
    for _ in 0..24 {
        folder.clock.advance(3600);
        assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    }
    folder.clock.advance(3600);
    refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    issuer.behave(Behaviour::Good);
    folder.clock.advance(10);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
}

#[tokio::test]
async fn an_issuer_that_others_could_pose_as_is_not_configured() {
    let folder = Folder::new();
    let signer = Signer::ed("d");
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    for (issuer, more) in [
        ("http://login.example.org", ""),
        ("http://localhost:1", ""),
        ("ftp://login.example.org", ""),
        ("https://user:password@login.example.org", ""),
        ("https://login.example.org", "jwks_uri: http://login.example.org/keys"),
    ] {
        let error = folder.try_access(&policy_of(issuer, more)).unwrap_err().to_string();
        assert!(error.contains("access.yaml:3:") || error.contains("access.yaml:5:"), "{error}");
        assert!(!error.contains("password@"), "{error}");
    }
    assert!(folder.try_access(&policy_of("http://login.example.org", "jwks_file: jwks.json")).is_ok());
}
