//! Why a call was not admitted, as gRPC says it.

use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{credential_error::CredentialError, role::Role};

/// The longest message, in bytes. It travels in headers, of which clients accept 8 KiB
/// after percent-encoding.
const MAX_MESSAGE_BYTES: usize = 1_500;

/// Why a call was not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its credential is missing or bad.
    #[error("{0}")]
    Unauthenticated(#[from] CredentialError),
    /// The keys to check it with cannot be had at the moment.
    #[error(
        "the keys of {issuer} cannot be read at the moment; try again in {} s. The server's log says why",
        .retry_after.as_secs()
    )]
    Unavailable {
        /// The issuer's name in the policy.
        issuer: String,
        /// When the keys are asked for again.
        retry_after: Duration,
    },
    /// The token may be signed with a key that the issuer has just begun to use.
    #[error(
        "the token is signed with a key that {issuer} did not have when it was last asked; it is asked again in {} s",
        .retry_after.as_secs()
    )]
    KeyNotSeenYet {
        /// The issuer's name in the policy.
        issuer: String,
        /// When the keys are asked for again.
        retry_after: Duration,
    },
    /// None of the caller's names has a role that opens the method.
    #[error("{} may not call {method}: that takes the role {}", .names.join(" and "), roles(.needed))]
    Denied {
        /// Every name that the call has proved.
        names: Vec<String>,
        /// The method, as `package.Service/Method`.
        method: String,
        /// The roles of which one would do.
        needed: &'static [Role],
    },
    /// No role opens the method.
    #[error("{} may not call {method}: there is no such method that a role opens", .names.join(" and "))]
    NoSuchMethod {
        /// Every name that the call has proved.
        names: Vec<String>,
        /// The method, as the call names it.
        method: String,
    },
}

fn roles(needed: &[Role]) -> String {
    needed.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ")
}

impl Refusal {
    /// The status code of the refusal.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Unauthenticated(_) => Code::Unauthenticated,
            Self::Unavailable { .. } | Self::KeyNotSeenYet { .. } => Code::Unavailable,
            Self::Denied { .. } | Self::NoSuchMethod { .. } => Code::PermissionDenied,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut message = refusal.to_string();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push_str("...");
        }
        match refusal {
            Refusal::Unavailable { retry_after, .. } | Refusal::KeyNotSeenYet { retry_after, .. } => {
                let details = ErrorDetails::with_retry_info(Some(retry_after));
                Self::with_error_details(Code::Unavailable, message, details)
            }
            _ => Self::new(refusal.code(), message),
        }
    }
}
