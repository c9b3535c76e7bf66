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
