//! Tokens of an issuer: what a good one is, and how bad ones are distinguished.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tonic::Code;

use crate::support::{
    Folder, ISSUER, READ, START, Signer, answer, call, claims, claims_with, name, refused, unsigned,
    with_token,
};

/// What the caller of a reader's method gets, if it sends this token.
async fn reported(signer: &Signer, token: &str) -> String {
    let access = Folder::new().access_by_keys(&[signer]);
    let message = refused(answer(&access, with_token(READ, token)).await, Code::Unauthenticated);
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!message.contains(part), "{message}");
    }
    message
}

#[tokio::test]
async fn each_allowed_algorithm_gets_in() {
    let signers = [Signer::rsa("r"), Signer::ec("e"), Signer::ed("d")];
    let access = Folder::new().access_by_keys(&signers.each_ref());
    for signer in &signers {
        let token = signer.sign(&claims(ISSUER));
        assert_eq!(name(&access, with_token(READ, token)).await, "people:alice", "{}", signer.algorithm());
    }
}

#[tokio::test]
async fn a_call_without_a_credential_learns_how_to_send_one() {
    let access = Folder::new().access_by_keys(&[&Signer::ed("d")]);
    let message = refused(answer(&access, call(READ)).await, Code::Unauthenticated);
    assert!(message.starts_with("no credential: send \"authorization: Bearer <token>\""), "{message}");
}

#[tokio::test]
async fn times_are_kept_with_leeway() {
    let signer = Signer::ed("d");
    let access = Folder::new().access_by_keys(&[&signer]);
    for (claim, time) in [("exp", START - 29), ("nbf", START + 30)] {
        let token = signer.sign(&claims_with(claim, time.into()));
        assert_eq!(name(&access, with_token(READ, token)).await, "people:alice", "{claim}");
    }
    let expired = reported(&signer, &signer.sign(&claims_with("exp", (START - 30).into()))).await;
    assert_eq!(expired, "the token expired at 2027-01-15T07:59:30Z");
    let early = reported(&signer, &signer.sign(&claims_with("nbf", (START + 31).into()))).await;
    assert_eq!(early, "the token is not valid before 2027-01-15T08:00:31Z");
}

#[tokio::test]
async fn a_token_for_others_is_refused() {
    let signer = Signer::ed("d");
    for audience in [Value::Null, json!("other"), json!(["a", "b"]), json!([]), json!(1), json!({"a": 1})] {
        let message = reported(&signer, &signer.sign(&claims_with("aud", audience))).await;
        assert_eq!(message, "the token is for another audience; people tokens must be for company-activity");
    }
    let access = Folder::new().access_by_keys(&[&signer]);
    let among_others = signer.sign(&claims_with("aud", json!(["other", "company-activity"])));
    assert_eq!(name(&access, with_token(READ, among_others)).await, "people:alice");
}

#[tokio::test]
async fn a_token_of_an_issuer_that_nobody_configured_is_refused() {
    let signer = Signer::ed("d");
    for issuer in ["https://login.example.com", "https://login.example.org/", "HTTPS://login.example.org"] {
        let message = reported(&signer, &signer.sign(&claims_with("iss", issuer.into()))).await;
        assert_eq!(message, format!("the token's issuer {issuer:?} is not configured"));
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused_whatever_it_calls_itself() {
    let signer = Signer::ed("d");
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        let header = json!({"alg": algorithm, "kid": "d"});
        let token = format!("{}.", unsigned(&header, &claims(ISSUER)));
        let message = reported(&signer, &token).await;
        assert_eq!(message, "the token's algorithm none is not allowed; RS256, ES256 and EdDSA are");
    }
    let token = format!("{}.", unsigned(&json!({"alg": "EdDSA", "kid": "d"}), &claims(ISSUER)));
    assert!(reported(&signer, &token).await.contains("signature does not match"));
}

#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    for signer in [Signer::rsa("k"), Signer::ec("k"), Signer::ed("k")] {
        let message = unsigned(&json!({"alg": "HS256", "kid": "k"}), &claims(ISSUER));
        for secret in [signer.public_der(), signer.public_key().to_string().into_bytes()] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
            mac.update(message.as_bytes());
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
            let reported = reported(&signer, &token).await;
            assert_eq!(reported, "the token's algorithm HS256 is not allowed; RS256, ES256 and EdDSA are");
        }
    }
}

#[tokio::test]
async fn a_key_is_used_with_its_own_algorithm_alone() {
    let signer = Signer::ed("d");
    for algorithm in ["RS256", "ES256"] {
        let token = signer.sign_under(&json!({"alg": algorithm, "kid": "d"}), &claims(ISSUER));
        assert!(reported(&signer, &token).await.contains("signature does not match"), "{algorithm}");
    }
    let token = signer.sign_under(&json!({"alg": "my-own", "kid": "d"}), &claims(ISSUER));
    assert_eq!(
        reported(&signer, &token).await,
        "the token's algorithm is not allowed; RS256, ES256 and EdDSA are"
    );
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    for signer in [Signer::rsa("k"), Signer::ec("k"), Signer::ed("k")] {
        let honest = signer.sign(&claims(ISSUER));
        let forged = signer.sign(&claims_with("sub", "root".into()));
        let (_, signature) = honest.rsplit_once('.').unwrap();
        let (message, _) = forged.rsplit_once('.').unwrap();
        let reported = reported(&signer, &format!("{message}.{signature}")).await;
        assert_eq!(reported, "the token's signature does not match its content");
    }
}

#[tokio::test]
async fn a_token_of_another_holder_of_the_same_key_name_is_refused() {
    let (ours, theirs) = (Signer::ed("d"), Signer::ed("d"));
    assert!(reported(&ours, &theirs.sign(&claims(ISSUER))).await.contains("signature does not match"));
}

#[tokio::test]
async fn a_key_in_a_file_that_does_not_exist_is_unknown_at_once() {
    let (ours, other) = (Signer::ed("d"), Signer::ed("other"));
    let message = reported(&ours, &other.sign(&claims(ISSUER))).await;
    assert_eq!(message, "the token is signed with a key that people does not have");
}

#[tokio::test]
async fn a_token_that_names_no_key_is_checked_if_one_key_alone_would_do() {
    let (signer, other) = (Signer::ed("d"), Signer::ed("other"));
    let token = signer.sign_under(&json!({"alg": "EdDSA"}), &claims(ISSUER));
    let folder = Folder::new();
    let access = folder.access_by_keys(&[&signer, &Signer::ec("e")]);
    assert_eq!(name(&access, with_token(READ, &token)).await, "people:alice");
    let access = folder.access_by_keys(&[&signer, &other]);
    let message = refused(answer(&access, with_token(READ, &token)).await, Code::Unauthenticated);
    assert_eq!(message, "the token is malformed: it names no key (kid), and its issuer has several");
}

#[tokio::test]
async fn the_refusal_of_a_malformed_token_says_what_is_wrong() {
    let signer = Signer::ed("d");
    let under = |header: Value| signer.sign_under(&header, &claims(ISSUER));
    let with = |claim: &str, value: Value| signer.sign(&claims_with(claim, value));
    let cases = [
        ("x".to_owned(), "three parts"),
        ("a.b".to_owned(), "three parts"),
        ("a.b.c.d".to_owned(), "three parts"),
        ("....".to_owned(), "three parts"),
        ("..".to_owned(), "header is no JSON"),
        ("%%.b.c".to_owned(), "header is no JSON"),
        (format!("{}.e30=.c", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#)), "claims are no JSON object"),
        (signer.sign(&json!([])), "claims are no JSON object"),
        (under(json!({"kid": "d"})), "header is no JSON"),
        (under(json!({"alg": "EdDSA", "kid": 1})), "header is no JSON"),
        (under(json!({"alg": "EdDSA", "kid": "d", "crit": ["b64"], "b64": false})), "critical extensions"),
        (under(json!({"alg": "EdDSA", "kid": "d", "typ": "logout+jwt"})), "neither JWT nor at+jwt"),
        (with("iss", Value::Null), "no issuer"),
        (with("iss", json!([ISSUER])), "no issuer"),
        (with("sub", Value::Null), "no subject"),
        (with("sub", "".into()), "no subject"),
        (with("sub", "alice\nadmitted caller=root".into()), "control characters"),
        (with("sub", "x".repeat(513).into()), "too long"),
        (with("exp", Value::Null), "does not expire"),
        (with("exp", "tomorrow".into()), "no time in seconds"),
        (with("exp", json!(1e300)), "no time in seconds"),
        (with("exp", json!(-1)), "no time in seconds"),
        (with("nbf", json!([])), "no time in seconds"),
        (with("iat", "now".into()), "no time in seconds"),
    ];
    for (token, expected) in cases {
        let message = reported(&signer, &token).await;
        assert!(message.starts_with("the token is malformed: "), "{message}");
        assert!(message.contains(expected), "{message} is not about {expected}");
    }
}

#[tokio::test]
async fn access_tokens_of_all_kinds_get_in() {
    let signer = Signer::ed("d");
    let access = Folder::new().access_by_keys(&[&signer]);
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        let header = json!({"alg": "EdDSA", "kid": "d", "typ": kind});
        let token = signer.sign_under(&header, &claims(ISSUER));
        assert_eq!(name(&access, with_token(READ, token)).await, "people:alice", "{kind}");
    }
    let fraction = signer.sign(&claims_with("exp", json!(1_800_000_000.5)));
    assert_eq!(name(&access, with_token(READ, fraction)).await, "people:alice");
}

#[tokio::test]
async fn an_oversized_token_is_refused_unread() {
    let signer = Signer::ed("d");
    let token = signer.sign(&claims_with("padding", "x".repeat(20_000).into()));
    let access = Folder::new().access_by_keys(&[&signer]);
    let message = refused(answer(&access, with_token(READ, token)).await, Code::Unauthenticated);
    assert_eq!(message, "the token is longer than 16384 bytes");
}

#[tokio::test]
async fn a_header_in_another_form_is_refused() {
    let signer = Signer::ed("d");
    let access = Folder::new().access_by_keys(&[&signer]);
    let token = signer.sign(&claims(ISSUER));
    for value in ["", "Bearer", "Bearer ", "Basic YTpi", token.as_str(), "Bearer\u{e9} x"] {
        let mut call = call(READ);
        call.headers_mut().insert("authorization", value.as_bytes().try_into().unwrap());
        let message = refused(answer(&access, call).await, Code::Unauthenticated);
        assert_eq!(message, "the authorization header is not of the form \"Bearer <token>\"");
    }
    let mut twice = with_token(READ, &token);
    twice.headers_mut().append("authorization", format!("Bearer {token}").parse().unwrap());
    let message = refused(answer(&access, twice).await, Code::Unauthenticated);
    assert_eq!(message, "the call has several authorization headers; send one");
    let mut lower = call(READ);
    lower.headers_mut().insert("authorization", format!("bearer  {token}").parse().unwrap());
    assert_eq!(name(&access, lower).await, "people:alice");
}
