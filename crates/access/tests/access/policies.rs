//! Policies: what they grant, and how mistakes in them are reported.

use access::Role;
use serde_json::json;

use crate::support::{
    Folder, ISSUER, READ, Signer, claims_with, key_set, name, policy_of, roles, with_token,
};

#[tokio::test]
async fn claims_and_prefixes_grant_roles() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    let policy = policy_of(ISSUER, "jwks_file: jwks.json")
        + "  - {issuer: people, claim: groups, contains: operators, roles: [operator]}\n"
        + "  - {issuer: people, claim: /kubernetes.io/namespace, equals: activity, roles: [stage, alerts]}\n";
    let access = folder.access(&policy);
    let with = |claim: &str, value| with_token(READ, signer.sign(&claims_with(claim, value)));
    let cases = [
        (with("groups", json!(["operators", "others"])), vec![Role::Reader, Role::Operator]),
        (with("groups", json!("others operators")), vec![Role::Reader, Role::Operator]),
        (with("groups", json!(["operators2"])), vec![Role::Reader]),
        (with("groups", json!({"operators": true})), vec![Role::Reader]),
        (
            with("kubernetes.io", json!({"namespace": "activity"})),
            vec![Role::Reader, Role::Stage, Role::Alerts],
        ),
        (with("kubernetes.io", json!({"namespace": "other"})), vec![Role::Reader]),
    ];
    for (call, expected) in cases {
        assert_eq!(roles(&access, call).await, expected.into_iter().collect());
    }
}

#[tokio::test]
async fn an_issuer_speaks_for_itself_alone() {
    let (ours, theirs) = (Signer::ed("k"), Signer::ed("k"));
    let folder = Folder::new();
    folder.write("ours.json", &key_set(&[&ours]).to_string());
    folder.write("theirs.json", &key_set(&[&theirs]).to_string());
    let access = folder.access(
        "issuers:\n\
         - {name: ours, issuer: a, audiences: [company-activity], jwks_file: ours.json}\n\
         - {name: theirs, issuer: b, audiences: [company-activity], jwks_file: theirs.json, leeway: 2m}\n\
         grants:\n\
         - {issuer: ours, claim: groups, contains: x, roles: [operator]}\n\
         - {prefix: \"ours:\", roles: [reader]}\n\
         - {prefix: \"theirs:\", roles: [reader]}\n",
    );
    let claims = |issuer: &str, subject: &str| {
        let mut claims = claims_with("iss", issuer.into());
        claims["sub"] = subject.into();
        claims["groups"] = json!(["x"]);
        claims
    };
    let good = with_token(READ, ours.sign(&claims("a", "alice")));
    assert_eq!(roles(&access, good).await, [Role::Reader, Role::Operator].into());
    let other = with_token(READ, theirs.sign(&claims("b", "ours:alice")));
    assert_eq!(name(&access, other).await, "theirs:ours:alice");
    let other = with_token(READ, theirs.sign(&claims("b", "alice")));
    assert_eq!(roles(&access, other).await, [Role::Reader].into());
    let posing = with_token(READ, theirs.sign(&claims("a", "alice")));
    assert!(crate::support::answer(&access, posing).await.is_err());
}

#[test]
fn mistakes_are_reported_with_file_line_and_column() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    folder.write("empty.json", r#"{"keys": []}"#);
    folder.write("not.json", "keys");
    folder.write("ca.pem", "no certificate");
    folder.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.write("tokens", "alice\n");
    let issuer = |more: &str| policy_of(ISSUER, more);
    let grant = |grant: &str| format!("grants:\n  - {grant}\n");
    let cases = [
        ("grants: [".to_owned(), "access.yaml:1:", ""),
        (String::new(), "access.yaml:1:1: ", "unexpected end of input"),
        ("grants: []".to_owned(), "access.yaml: ", "nobody could call anything"),
        ("grant: []".to_owned(), "access.yaml:1:1: ", "unknown field"),
        (grant("{identity: \"dns:a\", role: [reader]}"), "access.yaml:2:", "role"),
        (grant("{identity: \"dns:a\", roles: [admin]}"), "access.yaml:2:", "admin"),
        (grant("{identity: \"dns:a\", roles: []}"), "access.yaml:2:5: ", "has no roles"),
        (grant("{roles: [reader]}"), "access.yaml:2:5: ", "a grant is for an identity"),
        (grant("{identity: \"dns:a\", prefix: \"dns:\", roles: [reader]}"), "access.yaml:2:5: ", "a grant is for"),
        (grant("{identity: alice, roles: [reader]}"), "access.yaml:2:5: ", "is no identity"),
        (grant("{identity: \"people:a\", roles: [reader]}"), "access.yaml:2:5: ", "is no identity"),
        (grant("{prefix: \"spiffe://a/ns\", roles: [reader]}"), "access.yaml:2:5: ", "a prefix ends with"),
        (grant("{prefix: \"\", roles: [reader]}"), "access.yaml:2:5: ", "is no identity"),
        (grant("{issuer: x, claim: a, equals: b, roles: [reader]}"), "access.yaml:2:5: ", "no issuer has the name"),
        (
            issuer("jwks_file: jwks.json") + "  - {issuer: people, claim: a, roles: [reader]}\n",
            "access.yaml:8:5: ",
            "either equals or contains",
        ),
        (issuer("audience: x"), "access.yaml:5:5: ", "unknown field"),
        (issuer("leeway: soon"), "access.yaml:5:", "no duration such as 30s"),
        (issuer("leeway: 1h"), "access.yaml:2:11: ", "longer than 5 minutes"),
        (issuer("jwks_uri: x"), "access.yaml:5:15: ", "no URL"),
        (issuer("jwks_file: missing.json"), "missing.json: ", "cannot be read"),
        (issuer("jwks_file: empty.json"), "empty.json: ", "no public key"),
        (issuer("jwks_file: not.json"), "not.json: ", "no JSON Web Key Set"),
        (issuer("jwks_file: jwks.json\n    jwks_uri: https://a"), "access.yaml:5:16: ", "contradict"),
        (issuer("jwks_file: jwks.json\n    ca_file: ca.pem"), "access.yaml:6:14: ", "not for jwks_file"),
        (issuer("ca_file: missing.pem"), "missing.pem: ", "cannot be read"),
        (issuer("ca_file: ca.pem"), "ca.pem: ", "no certificate"),
        (issuer("ca_file: broken.pem"), "broken.pem: ", ""),
        (issuer("token_file: missing"), "missing: ", "cannot be read"),
        (policy_of("not-an-address", ""), "access.yaml:3:13: ", "set jwks_uri or jwks_file"),
        (issuer("").replace("name: people", "name: token"), "access.yaml:2:11: ", "names other identities"),
        (issuer("").replace("name: people", "name: My Own"), "access.yaml:2:11: ", "lower-case letters"),
        (issuer("").replace("[company-activity]", "[]"), "access.yaml:4:16: ", "name the audiences"),
        (
            "issuers:\n- {name: a, issuer: \"https://a\", audiences: [b]}\n- {name: a, issuer: \"https://b\", audiences: [b]}\ngrants: []".to_owned(),
            "access.yaml:3:10: ",
            "another issuer has this name",
        ),
        (
            "issuers:\n- {name: a, issuer: \"https://a\", audiences: [b]}\n- {name: b, issuer: \"https://a\", audiences: [b]}\ngrants: []".to_owned(),
            "access.yaml:3:21: ",
            "in the list already",
        ),
        ("static_tokens_file: missing\ngrants: []".to_owned(), "missing: ", "cannot be read"),
        ("static_tokens_file: tokens\ngrants: []".to_owned(), "tokens:1:1: ", "not a SHA-256 hash and a name"),
    ];
    for (policy, place, expected) in cases {
        let error = folder.try_access(&policy).err().map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("this was taken:\n{policy}"));
        assert!(
            error.contains(place) && error.contains(expected),
            "{policy}\n{error}\nnot {place}{expected}"
        );
    }
    let missing = access::Access::from_file("/nowhere/access.yaml", folder.environment()).unwrap_err();
    assert!(missing.to_string().starts_with("/nowhere/access.yaml: the file cannot be read"));
}
