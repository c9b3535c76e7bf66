//! Why a call was not admitted, as gRPC says it.

use std::{collections::HashMap, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, ErrorInfo, StatusExt};

use crate::{credential_error::CredentialError, role::Role};

/// The reason of a refusal because of an unknown method. Servers of releases before name another,
/// and end their message with the sentence.
const NO_METHOD: &str = "NO_METHOD";
const NO_SUCH_METHOD: &str = "there is no such method that a role opens";

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
    #[error("{} may not call {method}: {NO_SUCH_METHOD}", .names.join(" and "))]
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

    /// The reason in the status's details, for programs.
    const fn reason(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "BAD_CREDENTIAL",
            Self::Unavailable { .. } | Self::KeyNotSeenYet { .. } => "KEYS_UNAVAILABLE",
            Self::Denied { .. } => "NO_ROLE",
            Self::NoSuchMethod { .. } => NO_METHOD,
        }
    }
}

/// Who says in a status's `google.rpc.ErrorInfo` that the call was not let in. A service may
/// answer with the same codes for reasons of its own.
const DOMAIN: &str = "access.company-activity";

/// Whether a status says that the server did not let the call in.
#[must_use]
pub fn is_refusal(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.domain == DOMAIN)
}

/// Whether the server does not know the method, for example because it is older than the caller.
/// With a policy it refuses such a call before it looks for the method.
#[must_use]
pub fn is_unknown_method(status: &Status) -> bool {
    let is_closed = |info: ErrorInfo| {
        info.domain == DOMAIN && (info.reason == NO_METHOD || status.message().ends_with(NO_SUCH_METHOD))
    };
    status.code() == Code::Unimplemented || status.get_details_error_info().is_some_and(is_closed)
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let mut message = refusal.to_string();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push_str("...");
        }
        let mut details = ErrorDetails::with_error_info(refusal.reason(), DOMAIN, HashMap::new());
        if let Refusal::Unavailable { retry_after, .. } | Refusal::KeyNotSeenYet { retry_after, .. } = refusal
        {
            details.set_retry_info(Some(retry_after));
        }
        Self::with_error_details(refusal.code(), message, details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_know_a_method_says_so_whatever_its_release() {
        let names = || vec!["dns:a".to_owned()];
        let method = || "company_activity.provenance.v1.ProvenanceService/GetDaySources".to_owned();
        let unknown = Status::from(Refusal::NoSuchMethod { names: names(), method: method() });
        assert_eq!(unknown.get_details_error_info().unwrap().reason, "NO_METHOD");
        let details = ErrorDetails::with_error_info("NO_ROLE", DOMAIN, HashMap::new());
        let of_release_before = Status::with_error_details(unknown.code(), unknown.message(), details);
        let elsewhere = Status::permission_denied(unknown.message());
        let denied = Refusal::Denied { names: names(), method: method(), needed: &[Role::Reader] };
        for (status, expected) in [
            (unknown, true),
            (of_release_before, true),
            (Status::unimplemented(""), true),
            (elsewhere, false),
            (denied.into(), false),
        ] {
            assert_eq!(is_unknown_method(&status), expected, "{status}");
        }
    }
}
