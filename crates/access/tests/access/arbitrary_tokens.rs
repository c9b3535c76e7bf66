//! Whatever is sent as a token, nothing panics and nobody gets in.

use std::sync::LazyLock;

use access::Access;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;
use tonic::Code;

use crate::support::{Folder, ISSUER, READ, Signer, answer, call, claims, refused, with_token};

/// One access for all cases, with a key for each algorithm.
static FIXTURE: LazyLock<(Folder, Access, [Signer; 3])> = LazyLock::new(|| {
    let signers = [Signer::rsa("k"), Signer::ec("k"), Signer::ed("k")];
    let folder = Folder::new();
    let access = folder.access_by_keys(&signers.each_ref());
    (folder, access, signers)
});

fn assert_refused(call: http::Request<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    refused(runtime.block_on(answer(&FIXTURE.1, call)), Code::Unauthenticated);
}

/// A part of a token that may be well-formed.
fn part() -> impl Strategy<Value = String> {
    let json = prop_oneof![
        Just(json!({"alg": "RS256", "kid": "k"})),
        Just(json!({"alg": "ES256", "kid": "k"})),
        Just(json!({"alg": "EdDSA"})),
        Just(json!({"alg": "none"})),
        Just(json!({"alg": "HS256", "kid": "k"})),
        Just(claims(ISSUER)),
    ];
    prop_oneof![
        json.prop_map(|value| URL_SAFE_NO_PAD.encode(value.to_string())),
        any::<Vec<u8>>().prop_map(|bytes| URL_SAFE_NO_PAD.encode(bytes)),
        "[A-Za-z0-9_-]{0,100}",
        "[ -~]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_headers(bytes in any::<Vec<u8>>()) {
        if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
            let mut call = call(READ);
            call.headers_mut().insert("authorization", value);
            assert_refused(call);
        }
    }

    #[test]
    fn arbitrary_texts(token in "[ -~]{1,200}") {
        assert_refused(with_token(READ, token));
    }

    #[test]
    fn arbitrary_parts(parts in prop::collection::vec(part(), 1..5)) {
        assert_refused(with_token(READ, parts.join(".")));
    }

    #[test]
    fn a_good_token_with_one_byte_changed(signer in 0..3_usize, at in any::<prop::sample::Index>(), byte in b'!'..=b'~') {
        let mut token = FIXTURE.2[signer].sign(&claims(ISSUER)).into_bytes();
        let index = at.index(token.len());
        // Also where it is the last of a part, some of whose bits mean nothing.
        prop_assume!(token[index] != byte);
        token[index] = byte;
        assert_refused(with_token(READ, String::from_utf8(token).unwrap()));
    }
}
