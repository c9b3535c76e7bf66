//! Keys that change, and tokens with keys that nobody has.

use std::sync::Arc;

use serde_json::json;
use tonic::Code;

use crate::support::{
    Behaviour, Folder, IssuerServer, READ, START, Signer, answer, claims, name, policy_of, refused,
    with_token,
};

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_the_issuer_once() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let token = signer.sign(&claims(&issuer.url));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    folder.clock.advance(60);
    let flood = (0..200).map(|index| {
        let token = Signer::ed(&format!("unknown-{index}")).sign(&claims(&issuer.url));
        answer(&access, with_token(READ, token))
    });
    for answer in futures::future::join_all(flood).await {
        let message = refused(answer, Code::Unauthenticated);
        assert_eq!(message, "the token is signed with a key that people does not have");
    }
    assert_eq!(issuer.key_requests(), 2);
    // Those with good tokens do not notice.
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    folder.clock.advance(10);
    let other = Signer::ed("unknown").sign(&claims(&issuer.url));
    refused(answer(&access, with_token(READ, other)).await, Code::Unauthenticated);
    assert_eq!(issuer.key_requests(), 3);
}

#[tokio::test]
async fn a_key_that_may_be_newer_than_the_last_answer_is_not_refused_for_good() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let issuer = IssuerServer::start(&[&old]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let mut claims = claims(&issuer.url);
    assert_eq!(name(&access, with_token(READ, old.sign(&claims))).await, "people:alice");
    issuer.publish(&[&old, &new]);
    folder.clock.advance(3);
    claims["iat"] = json!(START + 2);
    let token = new.sign(&claims);
    let message = refused(answer(&access, with_token(READ, &token)).await, Code::Unavailable);
    assert!(message.ends_with("it is asked again in 7 s"), "{message}");
    folder.clock.advance(7);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
}

#[tokio::test]
async fn a_token_of_the_second_in_which_the_keys_were_read_may_be_newer_than_they_are() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let issuer = IssuerServer::start(&[&old]).await;
    let folder = Folder::new();
    folder.clock.advance_milliseconds(100);
    let access = folder.access(&policy_of(&issuer.url, "leeway: 0s"));
    let mut claims = claims(&issuer.url);
    assert_eq!(name(&access, with_token(READ, old.sign(&claims))).await, "people:alice");
    issuer.publish(&[&new]);
    folder.clock.advance_milliseconds(500);
    // Issued half a second after the keys were read, which tokens cannot express.
    claims["iat"] = json!(folder.clock.now());
    refused(answer(&access, with_token(READ, new.sign(&claims))).await, Code::Unavailable);
    claims["iat"] = json!(folder.clock.now() - 1);
    refused(answer(&access, with_token(READ, new.sign(&claims))).await, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_under_load_fails_no_call() {
    let keys = [0, 1, 2, 3].map(|index| Signer::ed(&format!("key-{index}")));
    let issuer = IssuerServer::start(&[&keys[0]]).await;
    let folder = Folder::new();
    let access = Arc::new(folder.access_by(&issuer));
    let url = issuer.url.clone();
    for (index, pair) in keys.windows(2).enumerate() {
        folder.clock.advance(15);
        // The next key is published, then used; the one before goes when nobody uses it.
        issuer.publish(&[&pair[0], &pair[1]]);
        let calls = (0..40).map(|number| {
            let signer = &pair[usize::from(number >= 10)];
            let token = signer.sign(&claims(&url));
            let access = Arc::clone(&access);
            tokio::spawn(async move { name(&access, with_token(READ, token)).await })
        });
        for call in futures::future::join_all(calls).await {
            assert_eq!(call.unwrap(), "people:alice");
        }
        // Once for all who wait for the new key; the first round may begin with the old one.
        assert!(issuer.key_requests() <= index + 2, "{} requests", issuer.key_requests());
    }
}

#[tokio::test]
async fn a_key_that_is_withdrawn_ends() {
    let (leaked, new) = (Signer::ed("leaked"), Signer::ed("new"));
    let issuer = IssuerServer::start(&[&leaked]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let token = leaked.sign(&claims(&issuer.url));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    issuer.publish(&[&new]);
    folder.clock.advance(600);
    // The keys are old: they serve this call, and are asked for behind its back.
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    let asked = async {
        while issuer.key_requests() < 2 {
            tokio::task::yield_now().await;
        }
        // Whoever asks for the new key waits for the answer that is under way.
        name(&access, with_token(READ, new.sign(&claims(&issuer.url)))).await
    };
    let asked = tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.unwrap();
    assert_eq!(asked, "people:alice");
    refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    assert_eq!(issuer.key_requests(), 2);
}

#[tokio::test]
async fn an_unknown_key_of_an_issuer_that_is_down_may_be_good() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let issuer = IssuerServer::start(&[&old]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let claims = claims(&issuer.url);
    assert_eq!(name(&access, with_token(READ, old.sign(&claims))).await, "people:alice");
    issuer.behave(Behaviour::Failing);
    folder.clock.advance(10);
    refused(answer(&access, with_token(READ, new.sign(&claims))).await, Code::Unavailable);
    assert_eq!(name(&access, with_token(READ, old.sign(&claims))).await, "people:alice");
}
