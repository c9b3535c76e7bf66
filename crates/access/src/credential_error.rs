//! What can be wrong with a credential. No message holds any of a token but the claims
//! that its sender has to know to mend it.

use chrono::{DateTime, SecondsFormat, Utc};

/// Why a credential was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is none.
    #[error(
        "no credential: send \"authorization: Bearer <token>\", or use a client certificate with a SPIFFE id or a DNS name"
    )]
    Missing,
    /// The header is there twice.
    #[error("the call has several authorization headers; send one")]
    SeveralHeaders,
    /// The header has another scheme.
    #[error("the authorization header is not of the form \"Bearer <token>\"")]
    NotBearer,
    /// The token is longer than any that is used.
    #[error("the token is longer than {0} bytes")]
    TooLong(usize),
    /// The token cannot be read.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The token is signed in a way that is not accepted.
    #[error("the token's algorithm{} is not allowed; RS256, ES256 and EdDSA are", .0.map(|name| format!(" {name}")).unwrap_or_default())]
    Algorithm(Option<&'static str>),
    /// Nobody configured the token's issuer.
    #[error("the token's issuer {0:?} is not configured")]
    UnknownIssuer(String),
    /// The token is meant for others.
    #[error("the token is for another audience; {issuer} tokens must be for {}", .expected.join(" or "))]
    Audience {
        /// The issuer's name in the policy.
        issuer: String,
        /// The audiences that are accepted.
        expected: Vec<String>,
    },
    /// The token has expired.
    #[error("the token expired at {}", time(.0))]
    Expired(DateTime<Utc>),
    /// The token is from the future.
    #[error("the token is not valid before {}", time(.0))]
    NotYetValid(DateTime<Utc>),
    /// The issuer has no such key.
    #[error("the token is signed with a key that {issuer} does not have")]
    UnknownKey {
        /// The issuer's name in the policy.
        issuer: String,
    },
    /// The signature is not of the key that the token names.
    #[error("the token's signature does not match its content")]
    Signature,
    /// No line of the file has this token.
    #[error("the static token is not known; it may have been removed")]
    UnknownStaticToken,
    /// It looks like a static token and cannot be one.
    #[error("the static token is malformed: it is activity_ and 64 hexadecimal digits")]
    StaticTokenForm,
    /// The certificate's SPIFFE id breaks the specification.
    #[error("the client certificate's SPIFFE id is malformed")]
    SpiffeId,
    /// The certificate has more than one.
    #[error("the client certificate has several SPIFFE ids; it must have one")]
    SeveralSpiffeIds,
}

fn time(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
