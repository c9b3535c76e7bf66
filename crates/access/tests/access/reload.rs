//! Policies that change while they are used.

use std::time::Duration;

use access::Reload;
use tokio::sync::oneshot;
use tonic::Code;

use crate::support::{
    Folder, ISSUER, IssuerServer, READ, Signer, TRIGGER, answer, call, claims, key_set, name, policy_of,
    refused, with_certificate, with_token,
};

fn policy(name: &str) -> String {
    format!("grants: [{{identity: \"dns:{name}\", roles: [reader]}}]\n")
}

#[tokio::test]
async fn a_change_applies_to_the_next_call() {
    let folder = Folder::new();
    let access = folder.access(&policy("a"));
    assert_eq!(access.reload(), Reload::Unchanged);
    folder.write("access.yaml", &policy("b"));
    let clone = access.clone();
    assert_eq!(access.reload(), Reload::Applied);
    assert_eq!(access.reload(), Reload::Unchanged);
    for access in [access, clone] {
        let by = |host: &str| with_certificate(call(READ), &[], &[host]);
        refused(answer(&access, by("a")).await, Code::PermissionDenied);
        assert_eq!(name(&access, by("b")).await, "dns:b");
    }
}

#[tokio::test]
async fn a_broken_change_keeps_what_was_and_is_reported_once() {
    let folder = Folder::new();
    let access = folder.access(&policy("a"));
    let by_a = || with_certificate(call(READ), &[], &["a"]);
    for broken in ["grants: [", "grants: []", ""] {
        let file = folder.write("access.yaml", broken);
        let Reload::Kept(error) = access.reload() else { panic!("{broken:?} was taken") };
        assert!(error.to_string().starts_with(file.to_str().unwrap()), "{error}");
        assert_eq!(access.reload(), Reload::Unchanged);
        assert_eq!(name(&access, by_a()).await, "dns:a");
    }
    std::fs::remove_file(folder.write("access.yaml", "")).unwrap();
    assert!(matches!(access.reload(), Reload::Kept(_)));
    assert_eq!(access.reload(), Reload::Unchanged);
    assert_eq!(name(&access, by_a()).await, "dns:a");
    // Back to what it was: that is a change, too.
    folder.write("access.yaml", &policy("a"));
    assert_eq!(access.reload(), Reload::Applied);
}

#[tokio::test]
async fn keys_in_a_file_are_replaced() {
    let (old, new) = (Signer::ed("old"), Signer::ed("new"));
    let folder = Folder::new();
    let access = folder.access_by_keys(&[&old]);
    let token = new.sign(&claims(ISSUER));
    refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    folder.write("jwks.json", "{");
    assert!(matches!(access.reload(), Reload::Kept(_)));
    assert_eq!(name(&access, with_token(READ, old.sign(&claims(ISSUER)))).await, "people:alice");
    folder.write("jwks.json", &key_set(&[&new]).to_string());
    assert_eq!(access.reload(), Reload::Applied);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    refused(answer(&access, with_token(READ, old.sign(&claims(ISSUER)))).await, Code::Unauthenticated);
}

#[tokio::test]
async fn an_issuer_that_has_not_changed_is_not_asked_again() {
    let signer = Signer::ed("d");
    let issuer = IssuerServer::start(&[&signer]).await;
    let folder = Folder::new();
    let access = folder.access_by(&issuer);
    let token = signer.sign(&claims(&issuer.url));
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    let more = policy_of(&issuer.url, "") + "  - {identity: \"people:alice\", roles: [operator]}\n";
    folder.write("access.yaml", &more);
    assert_eq!(access.reload(), Reload::Applied);
    assert_eq!(name(&access, with_token(TRIGGER, &token)).await, "people:alice");
    assert_eq!(issuer.key_requests(), 1);
    // Another audience is another issuer; its tokens are checked against the new one.
    folder.write("access.yaml", &more.replace("[company-activity]", "[other]"));
    assert_eq!(access.reload(), Reload::Applied);
    refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
}

#[tokio::test]
async fn changes_are_noticed_by_and_by() {
    let folder = Folder::new();
    let access = folder.access(&policy("a"));
    let (end, ended) = oneshot::channel::<()>();
    let watching = tokio::spawn(access.clone().reload_every(Duration::from_millis(1), async {
        let _ = ended.await;
    }));
    folder.write("access.yaml", &policy("b"));
    let noticed = async {
        while answer(&access, with_certificate(call(READ), &[], &["b"])).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), noticed).await.unwrap();
    end.send(()).unwrap();
    watching.await.unwrap();
}
