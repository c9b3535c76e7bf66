//! Tokens for those without an issuer.

use access::Reload;
use sha2::{Digest, Sha256};
use tonic::Code;

use crate::support::{Folder, READ, TRIGGER, answer, name, refused, with_token};

const POLICY: &str = "static_tokens_file: tokens\n\
    grants:\n  - {identity: \"token:alice\", roles: [reader]}\n";

fn token(digit: char) -> String {
    format!("activity_{}", digit.to_string().repeat(64))
}

fn line(token: &str, name: &str) -> String {
    format!("{}  {name}\n", hex::encode(Sha256::digest(token)))
}

#[tokio::test]
async fn the_right_token_gets_in_and_no_other() {
    let folder = Folder::new();
    folder.write("tokens", &(line(&token('a'), "alice") + &line(&token('b'), "bob")));
    let access = folder.access(POLICY);
    assert_eq!(name(&access, with_token(READ, token('a'))).await, "token:alice");
    let message = refused(answer(&access, with_token(TRIGGER, token('a'))).await, Code::PermissionDenied);
    assert_eq!(
        message,
        "token:alice may not call company_activity.pipeline.v1.PipelineService/TriggerRun: that takes the role operator"
    );
    refused(answer(&access, with_token(READ, token('b'))).await, Code::PermissionDenied);
    let message = refused(answer(&access, with_token(READ, token('c'))).await, Code::Unauthenticated);
    assert_eq!(message, "the static token is not known; it may have been removed");
    for form in ["activity_", "activity_abc", &token('A'), &token('g'), &(token('a') + "a")] {
        let message = refused(answer(&access, with_token(READ, form)).await, Code::Unauthenticated);
        assert!(message.starts_with("the static token is malformed"), "{message}");
    }
}

#[tokio::test]
async fn the_hash_of_a_token_is_no_token() {
    let folder = Folder::new();
    folder.write("tokens", &line(&token('a'), "alice"));
    let access = folder.access(POLICY);
    let hash = hex::encode(Sha256::digest(token('a')));
    for stolen in [hash.clone(), format!("activity_{hash}")] {
        refused(answer(&access, with_token(READ, stolen)).await, Code::Unauthenticated);
    }
}

#[tokio::test]
async fn a_token_ends_when_it_is_removed_and_its_successor_works_beside_it() {
    let folder = Folder::new();
    folder.write("tokens", &line(&token('a'), "alice"));
    let access = folder.access(POLICY);
    folder.write("tokens", &(line(&token('a'), "alice") + &line(&token('b'), "alice")));
    assert_eq!(access.reload(), Reload::Applied);
    for good in ['a', 'b'] {
        assert_eq!(name(&access, with_token(READ, token(good))).await, "token:alice");
    }
    folder.write("tokens", &line(&token('b'), "alice"));
    assert_eq!(access.reload(), Reload::Applied);
    refused(answer(&access, with_token(READ, token('a'))).await, Code::Unauthenticated);
    assert_eq!(name(&access, with_token(READ, token('b'))).await, "token:alice");
}

#[tokio::test]
async fn without_a_file_no_static_token_is_known() {
    let access = Folder::new().access("grants: [{identity: \"token:alice\", roles: [reader]}]");
    refused(answer(&access, with_token(READ, token('a'))).await, Code::Unauthenticated);
}
