//! The public keys of an issuer.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// More keys than any issuer has.
const MAX_KEYS: usize = 100;

/// The shortest RSA modulus that is accepted, in bytes.
const MIN_RSA_BYTES: usize = 256;

/// Public keys, each for one algorithm.
#[derive(Default)]
pub(crate) struct KeySet(Vec<Arc<Key>>);

/// One key. The algorithm is the key's own: no token chooses how its key is used.
pub(crate) struct Key {
    id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: DecodingKey,
}

/// What a key set has for a token.
pub(crate) enum Found {
    /// The key that the token names.
    Key(Arc<Key>),
    /// No key with this name.
    Unknown,
    /// A key with this name, for another algorithm.
    OtherAlgorithm,
    /// The token names no key, and several would do.
    Ambiguous,
}

#[derive(Deserialize)]
struct KeySetDefinition {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct KeyDefinition {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Parses a JSON Web Key Set. Keys for other purposes or algorithms are left out:
    /// issuers publish them side by side.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let definition: KeySetDefinition =
            serde_json::from_slice(json).map_err(|error| format!("this is no JSON Web Key Set: {error}"))?;
        if definition.keys.len() > MAX_KEYS {
            return Err(format!("the key set has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<_> = definition.keys.into_iter().filter_map(key).map(Arc::new).collect();
        if keys.is_empty() {
            return Err("the key set has no public key for RS256, ES256 or EdDSA".to_owned());
        }
        Ok(Self(keys))
    }

    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Found {
        let fits = |key: &&Arc<Key>| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id);
        let mut fitting = self.0.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Found::Key(Arc::clone(key)),
            (Some(_), Some(_)) => Found::Ambiguous,
            (None, _) if id.is_some() && self.0.iter().any(|key| key.id.as_deref() == id) => {
                Found::OtherAlgorithm
            }
            (None, _) => Found::Unknown,
        }
    }
}

/// The key of a definition, if it can check a signature that we accept.
fn key(definition: Value) -> Option<Key> {
    let key: KeyDefinition = serde_json::from_value(definition).ok()?;
    if key.usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let (algorithm, name, decoding_key) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => {
            let (n, e) = (bytes(key.n)?, bytes(key.e)?);
            if n.len() < MIN_RSA_BYTES {
                return None;
            }
            (Algorithm::RS256, "RS256", DecodingKey::from_rsa_raw_components(&n, &e))
        }
        ("EC", Some("P-256")) => {
            let point = [&[4], field(key.x)?.as_slice(), field(key.y)?.as_slice()].concat();
            (Algorithm::ES256, "ES256", DecodingKey::from_ec_der(&point))
        }
        ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, "EdDSA", DecodingKey::from_ed_der(&field(key.x)?)),
        _ => return None,
    };
    let is_for_it = key.alg.is_none_or(|alg| alg == name || (name == "EdDSA" && alg == "Ed25519"));
    is_for_it.then_some(Key { id: key.kid, algorithm, key: decoding_key })
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

/// A number of a curve over 256 bits.
fn field(text: Option<String>) -> Option<Vec<u8>> {
    bytes(text).filter(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![7; bytes])
    }

    fn parse(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
    }

    #[test]
    fn keys_that_check_no_signature_of_ours_are_left_out() {
        let rsa = |bytes| json!({"kty": "RSA", "kid": "k", "n": text(bytes), "e": "AQAB"});
        let ed = json!({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": text(32)});
        let with = |key: &Value, name: &str, value: &str| {
            let mut key = key.clone();
            key[name] = value.into();
            key
        };
        let left_out = [
            rsa(128),
            with(&rsa(256), "use", "enc"),
            with(&rsa(256), "alg", "RS512"),
            with(&rsa(256), "n", "%"),
            json!({"kty": "RSA", "n": text(256)}),
            json!({"kty": "EC", "crv": "P-384", "x": text(48), "y": text(48)}),
            json!({"kty": "EC", "crv": "P-256", "x": text(48), "y": text(48)}),
            json!({"kty": "EC", "x": text(32), "y": text(32)}),
            with(&ed, "crv", "X25519"),
            with(&ed, "x", "AAAA"),
            json!({"kty": "oct", "k": text(32)}),
            json!({"kty": "AKP"}),
            json!("key"),
        ];
        for key in &left_out {
            assert!(parse(std::slice::from_ref(key)).is_err(), "{key}");
        }
        let taken = [
            rsa(256),
            with(&with(&rsa(512), "use", "sig"), "alg", "RS256"),
            ed.clone(),
            with(&ed, "alg", "Ed25519"),
            json!({"kty": "EC", "crv": "P-256", "x": text(32), "y": text(32), "x5c": ["..."]}),
        ];
        for key in &taken {
            assert!(parse(std::slice::from_ref(key)).is_ok(), "{key}");
        }
        // One that is of no use does not spoil the others.
        assert_eq!(parse(&[&left_out[..], &taken[..]].concat()).map(|keys| keys.0.len()), Ok(taken.len()));
    }

    #[test]
    fn a_set_without_keys_or_with_too_many_is_refused() {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": text(32)});
        assert!(parse(&vec![key.clone(); MAX_KEYS]).is_ok());
        let error = |result: Result<KeySet, String>| result.err().unwrap();
        assert!(error(parse(&vec![key; MAX_KEYS + 1])).contains("more than 100 keys"));
        assert!(error(parse(&[])).contains("no public key"));
        for json in ["", "[]", "{}", r#"{"keys": 1}"#] {
            assert!(error(KeySet::parse(json.as_bytes())).contains("no JSON Web Key Set"), "{json}");
        }
    }
}
