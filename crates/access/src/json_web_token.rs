//! Checks a token of an issuer: form, issuer, audience, time, signature.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    caller::Identity,
    credential_error::CredentialError::{self, Malformed},
    issuer::{Issuer, KeyQuery},
    refusal::Refusal,
    verified_tokens::{Validity, Verified, VerifiedTokens, fingerprint},
};

/// The longest issuer and subject that are read, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// The algorithms that have a name, so that a refusal can name the one that was used. An unknown
/// name is not repeated: it could be anything.
const REFUSED_ALGORITHMS: [&str; 13] = [
    "none", "HS256", "HS384", "HS512", "RS384", "RS512", "PS256", "PS384", "PS512", "ES384", "ES512",
    "ES256K", "Ed448",
];

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// A token that has been read and not been believed.
struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    claims: Map<String, Value>,
    message: &'a [u8],
    signature: &'a str,
}

/// The identity that a token proves. One that was `verified` before proves it again while its
/// time lasts and its issuer still has the key.
pub(crate) async fn verify(
    token: &str,
    issuers: &[Arc<Issuer>],
    verified: &VerifiedTokens,
    now: DateTime<Utc>,
) -> Result<Identity, Refusal> {
    let fingerprint = fingerprint(token);
    if let Some(known) = verified.get(&fingerprint) {
        known.validity.check(now, known.issuer.leeway())?;
        let key = known.issuer.key(known.key_query()).await?;
        // Another key may have come under the same name.
        if Arc::ptr_eq(&key, &known.key) {
            return Ok(known.identity.clone());
        }
    }
    let token = Token::read(token)?.verify(issuers, now).await?;
    let identity = token.identity.clone();
    verified.insert(fingerprint, token);
    Ok(identity)
}

impl Validity {
    fn check(self, now: DateTime<Utc>, leeway: TimeDelta) -> Result<(), CredentialError> {
        if now - leeway >= self.ends {
            return Err(CredentialError::Expired(self.ends));
        }
        match self.begins {
            Some(begins) if now + leeway < begins => Err(CredentialError::NotYetValid(begins)),
            _ => Ok(()),
        }
    }
}

impl<'a> Token<'a> {
    async fn verify(self, issuers: &[Arc<Issuer>], now: DateTime<Utc>) -> Result<Verified, Refusal> {
        let issuer = Arc::clone(self.issuer(issuers)?);
        // Before the keys are asked for: what cannot pass is no reason to ask for them.
        self.check_audience(&issuer)?;
        let validity = self.validity()?;
        validity.check(now, issuer.leeway())?;
        let subject = self.name("sub", Malformed("it has no subject (sub)"))?;
        let issued_at = self.date("iat")?;
        let query = KeyQuery { id: self.key_id.as_deref(), algorithm: self.algorithm, issued_at };
        let key = issuer.key(query).await?;
        let is_good = jsonwebtoken::crypto::verify(self.signature, self.message, &key.key, key.algorithm);
        if !matches!(is_good, Ok(true)) {
            return Err(CredentialError::Signature.into());
        }
        let name = format!("{}:{subject}", issuer.name());
        let identity = Identity { name, issued: Some(Arc::new((issuer.name().to_owned(), self.claims))) };
        let Self { key_id, algorithm, .. } = self;
        Ok(Verified { identity, issuer, key, key_id, algorithm, issued_at, validity })
    }

    fn read(token: &'a str) -> Result<Self, CredentialError> {
        let parts = token.split('.').collect::<Vec<_>>();
        let [header, claims, signature] = parts[..] else {
            return Err(Malformed("it has not three parts separated by dots"));
        };
        let message = &token.as_bytes()[..header.len() + 1 + claims.len()];
        let header: Header = decode(header).ok_or(Malformed("its header is no JSON in base64url"))?;
        let algorithm = algorithm(&header.alg)?;
        if header.crit.is_some() {
            return Err(Malformed("its header has critical extensions (crit), and none is known"));
        }
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(Malformed("its type (typ) is neither JWT nor at+jwt"));
        }
        let claims = decode(claims).ok_or(Malformed("its claims are no JSON object in base64url"))?;
        Ok(Self { algorithm, key_id: header.kid, claims, message, signature })
    }

    fn issuer<'i>(&self, issuers: &'i [Arc<Issuer>]) -> Result<&'i Arc<Issuer>, CredentialError> {
        let name = self.name("iss", Malformed("it has no issuer (iss)"))?;
        let unknown = || CredentialError::UnknownIssuer(name.to_owned());
        issuers.iter().find(|issuer| issuer.issuer() == name).ok_or_else(unknown)
    }

    fn check_audience(&self, issuer: &Issuer) -> Result<(), CredentialError> {
        let is_ours = |audience: &Value| {
            audience.as_str().is_some_and(|audience| issuer.audiences().iter().any(|ours| ours == audience))
        };
        let accepted = match self.claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(is_ours),
            Some(audience) => is_ours(audience),
            None => false,
        };
        if accepted {
            return Ok(());
        }
        let expected = issuer.audiences().to_vec();
        Err(CredentialError::Audience { issuer: issuer.name().to_owned(), expected })
    }

    fn validity(&self) -> Result<Validity, CredentialError> {
        let ends = self.date("exp")?.ok_or(Malformed("it does not expire (exp)"))?;
        Ok(Validity { begins: self.date("nbf")?, ends })
    }

    /// A claim that is a name: short, and without characters that could forge a line of a log.
    fn name(&self, claim: &str, missing: CredentialError) -> Result<&str, CredentialError> {
        let name = self.claims.get(claim).and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or(missing)?;
        if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
            return Err(Malformed("its issuer or subject is too long or has control characters"));
        }
        Ok(name)
    }

    /// A claim that is a time: seconds since 1970, perhaps with a fraction.
    fn date(&self, claim: &str) -> Result<Option<DateTime<Utc>>, CredentialError> {
        let Some(value) = self.claims.get(claim) else { return Ok(None) };
        let since = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let date = since
            .and_then(|since| TimeDelta::from_std(since).ok())
            .and_then(|since| DateTime::UNIX_EPOCH.checked_add_signed(since));
        date.map(Some).ok_or(Malformed("one of exp, nbf and iat is no time in seconds since 1970"))
    }
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn algorithm(name: &str) -> Result<Algorithm, CredentialError> {
    match name {
        "RS256" => Ok(Algorithm::RS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => {
            let known = REFUSED_ALGORITHMS.into_iter().find(|known| known.eq_ignore_ascii_case(name));
            Err(CredentialError::Algorithm(known))
        }
    }
}

/// Other kinds of tokens are signed with the same keys, for example those of a logout.
fn is_access_token(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    matches!(kind.strip_prefix("application/").unwrap_or(&kind), "jwt" | "at+jwt")
}
