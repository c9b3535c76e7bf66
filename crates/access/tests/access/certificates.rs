//! Callers with a client certificate, alone and together with a token.

use access::Role;
use tonic::Code;

use crate::support::{
    Folder, ISSUER, READ, Signer, TRIGGER, answer, call, claims, claims_with, key_set, name, policy_of,
    refused, roles, with_certificate, with_token,
};

const POLICY: &str = "grants:\n  \
    - {identity: \"spiffe://example.org/ns/activity/sa/coordinator\", roles: [stage, alerts]}\n  \
    - {prefix: \"spiffe://example.org/ns/analysis/\", roles: [reader]}\n  \
    - {identity: \"dns:dashboard.example.org\", roles: [reader]}\n";

const STAGE: &str = "/company_activity.stage.v1.StageService/ExecuteStage";

#[tokio::test]
async fn a_certificate_names_its_owner() {
    let access = Folder::new().access(POLICY);
    let coordinator = "spiffe://example.org/ns/activity/sa/coordinator";
    let call_as = |uri: &str, path: &str| with_certificate(call(path), &[uri], &["dashboard.example.org"]);
    assert_eq!(name(&access, call_as(coordinator, STAGE)).await, coordinator);
    assert_eq!(roles(&access, call_as(coordinator, STAGE)).await, [Role::Stage, Role::Alerts].into());
    // Its DNS name does not count beside a SPIFFE id.
    let message = refused(answer(&access, call_as(coordinator, READ)).await, Code::PermissionDenied);
    assert_eq!(
        message,
        format!(
            "{coordinator} may not call company_activity.activity.v1.CompanyActivityService/GetFreshness: that takes the role reader"
        )
    );
    let notebook = "spiffe://example.org/ns/analysis/sa/notebook";
    assert_eq!(name(&access, call_as(notebook, READ)).await, notebook);
    for other in ["spiffe://example.org/ns/analysis2/sa/x", "spiffe://example.com/ns/analysis/sa/x"] {
        refused(answer(&access, call_as(other, READ)).await, Code::PermissionDenied);
    }
    let bad = "spiffe://example.org/ns/analysis/../activity/sa/coordinator";
    refused(answer(&access, call_as(bad, STAGE)).await, Code::Unauthenticated);
}

#[tokio::test]
async fn each_dns_name_of_a_certificate_counts() {
    let access = Folder::new().access(POLICY);
    let with = |names: &[&str]| with_certificate(call(READ), &[], names);
    let caller = name(&access, with(&["node-7.example.org", "Dashboard.example.org"])).await;
    assert_eq!(caller, "dns:dashboard.example.org");
    let message = refused(answer(&access, with(&["a", "b"])).await, Code::PermissionDenied);
    assert!(message.starts_with("dns:a and dns:b may not call"), "{message}");
    let message = refused(answer(&access, with(&[])).await, Code::Unauthenticated);
    assert!(message.starts_with("no credential"), "{message}");
}

#[tokio::test]
async fn of_a_certificate_and_a_token_the_first_that_may_calls() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    let policy = policy_of(ISSUER, "jwks_file: jwks.json")
        + "  - {identity: \"people:root\", roles: [operator]}\n"
        + "  - {identity: \"dns:proxy.example.org\", roles: [stage, reader]}\n";
    let access = folder.access(&policy);
    let both = |path: &str, subject: &str, host: &str| {
        let token = signer.sign(&claims_with("sub", subject.into()));
        with_certificate(with_token(path, token), &[], &[host])
    };
    // The certificate is asked first.
    assert_eq!(name(&access, both(READ, "alice", "proxy.example.org")).await, "dns:proxy.example.org");
    assert_eq!(name(&access, both(STAGE, "alice", "proxy.example.org")).await, "dns:proxy.example.org");
    // It does not speak for the token, nor take from it.
    assert_eq!(name(&access, both(READ, "alice", "unknown.example.org")).await, "people:alice");
    assert_eq!(name(&access, both(TRIGGER, "root", "proxy.example.org")).await, "people:root");
    assert!(!roles(&access, both(TRIGGER, "root", "proxy.example.org")).await.contains(&Role::Stage));
    let answer_to_neither = answer(&access, both(TRIGGER, "alice", "proxy.example.org")).await;
    let message = refused(answer_to_neither, Code::PermissionDenied);
    assert!(message.starts_with("dns:proxy.example.org and people:alice may not call"), "{message}");
    // A certificate without names says nothing.
    let nameless = with_certificate(with_token(READ, signer.sign(&claims(ISSUER))), &[], &[]);
    assert_eq!(name(&access, nameless).await, "people:alice");
}

#[tokio::test]
async fn a_bad_credential_is_not_made_up_for_by_a_good_one() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    let policy = policy_of(ISSUER, "jwks_file: jwks.json")
        + "  - {identity: \"dns:proxy.example.org\", roles: [reader]}\n";
    let access = folder.access(&policy);
    let expired = signer.sign(&claims_with("exp", 1.into()));
    for bad in [expired.as_str(), "activity_x", "x"] {
        let call = with_certificate(with_token(READ, bad), &[], &["proxy.example.org"]);
        refused(answer(&access, call).await, Code::Unauthenticated);
    }
    let good = signer.sign(&claims(ISSUER));
    let call = with_certificate(with_token(READ, good), &["spiffe://a//b"], &[]);
    refused(answer(&access, call).await, Code::Unauthenticated);
}
