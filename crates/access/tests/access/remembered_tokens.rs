//! A token that was admitted before is asked about everything that may have changed since.

use serde_json::json;
use tonic::Code;

use crate::support::{
    AUDIENCE, Folder, IssuerServer, READ, Signer, TRIGGER, answer, claims, claims_with, name, policy_of,
    refused, with_token,
};

#[tokio::test]
async fn its_time_runs_out() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    let access = folder.access_by_keys(&[&signer]);
    let token = signer.sign(&claims_with("exp", json!(folder.clock.now() + 60)));
    for _ in 0..3 {
        assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    }
    folder.clock.advance(60 + 30);
    let message = refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    assert!(message.starts_with("the token expired at"), "{message}");
}

#[tokio::test]
async fn its_clock_may_be_set_back() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    let access = folder.access_by_keys(&[&signer]);
    let token = signer.sign(&claims_with("nbf", json!(folder.clock.now())));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    folder.clock.advance(-60);
    let message = refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    assert!(message.starts_with("the token is not valid before"), "{message}");
}

#[tokio::test]
async fn its_key_may_be_withdrawn() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let issuer = IssuerServer::start(&[&old]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let [before, after] = [&old, &new].map(|signer| signer.sign(&claims(&issuer.url)));
    assert_eq!(name(&access, with_token(READ, &before)).await, "people:alice");
    issuer.publish(&[&new]);
    folder.clock.advance(10);
    assert_eq!(name(&access, with_token(READ, &after)).await, "people:alice");
    refused(answer(&access, with_token(READ, &before)).await, Code::Unauthenticated);
}

#[tokio::test]
async fn its_key_may_be_replaced_under_the_same_name() {
    let (old, new) = (Signer::ed("k"), Signer::ed("k"));
    let issuer = IssuerServer::start(&[&old]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let token = old.sign(&claims(&issuer.url));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    issuer.publish(&[&new]);
    folder.clock.advance(10);
    let unknown = Signer::ed("unknown").sign(&claims(&issuer.url));
    refused(answer(&access, with_token(READ, unknown)).await, Code::Unauthenticated);
    let message = refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    assert_eq!(message, "the token's signature does not match its content");
}

#[tokio::test]
async fn another_policy_judges_it_anew() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let folder = Folder::new();
    let policy = policy_of(&issuer.url, "");
    let access = folder.access(&policy);
    let token = signer.sign(&claims(&issuer.url));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    folder.write("access.yaml", &policy.replace("reader", "operator"));
    assert_eq!(access.reload(), access::Reload::Applied);
    refused(answer(&access, with_token(READ, &token)).await, Code::PermissionDenied);
    assert_eq!(name(&access, with_token(TRIGGER, &token)).await, "people:alice");
    folder.write("access.yaml", &policy.replace(AUDIENCE, "others"));
    assert_eq!(access.reload(), access::Reload::Applied);
    refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
}

#[tokio::test]
async fn more_tokens_than_are_remembered_get_in() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    let access = folder.access_by_keys(&[&signer]);
    let tokens: Vec<_> =
        (0..3000).map(|number| signer.sign(&claims_with("sub", json!(format!("{number}"))))).collect();
    for _ in 0..2 {
        for (number, token) in tokens.iter().enumerate() {
            assert_eq!(name(&access, with_token(READ, token)).await, format!("people:{number}"));
        }
    }
}
