//! Why a command failed, in words for the user.

use std::{
    fmt,
    io::{self, ErrorKind},
    time::Duration,
};

use contract::is_transport_failure;
use presentation::refusal;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Exit code of a command that failed.
const FAILURE: u8 = 1;
/// Exit code of an invalid command line, the same as clap's.
const USAGE: u8 = 2;
/// Exit code when a run was waited for and did not succeed.
const RUN_UNSUCCESSFUL: u8 = 3;
/// Exit code when published numbers differ from the product API's.
const NUMBERS_DIFFER: u8 = 4;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments are invalid together.
    #[error("{0}")]
    Usage(String),
    /// The server does not answer.
    #[error(
        "cannot reach {server}: {problem}; is the server running and let through there, or is --server \
         (ACTIVITY_SERVER) wrong?"
    )]
    Unreachable {
        /// The server's URL.
        server: String,
        /// What the connection reported.
        problem: String,
    },
    /// The server cannot be talked to in this way, however long one waits.
    #[error("cannot talk to {server}: {problem}")]
    Misaddressed {
        /// The server's URL.
        server: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The server answered with an error.
    #[error("{}", Refusal(.0))]
    Refused(Box<Status>),
    /// The coordinator does not know a call.
    #[error(
        "the coordinator at {server} is older than this activityctl and has no {call}: upgrade it, or use the \
         activityctl of its version; if it is no coordinator, --server is wrong"
    )]
    OlderCoordinator {
        /// The server's URL.
        server: String,
        /// The call.
        call: &'static str,
    },
    /// Published numbers differ from the product API's.
    #[error("{mismatches} of {compared} compared company-days differ from the product API{remedy}")]
    NumbersDiffer {
        /// Company-days that differ.
        mismatches: u64,
        /// Company-days that were compared.
        compared: u64,
        /// What to do, as the end of the sentence.
        remedy: String,
    },
    /// The server broke the contract.
    #[error("the server's answer {0}; is it of another version?")]
    Contract(&'static str),
    /// A run that was waited for did not succeed.
    #[error("{0}")]
    RunUnsuccessful(String),
    /// Published rows differ from the ledger.
    #[error(
        "{differing} of {days} days differ from the ledger: something other than a publish changed them; \
         `activityctl verify --repair` builds them again from what is staged"
    )]
    Differs {
        /// Days that differ.
        differing: usize,
        /// Days that were checked.
        days: usize,
    },
    /// Days whose checksum follows a formula that this version does not know.
    #[error(
        "{unknown} of {days} days cannot be verified: a newer version of the suite published them, \
         so verify them with that version or a newer one"
    )]
    NotVerifiable {
        /// Days that could not be compared.
        unknown: usize,
        /// Days that were checked.
        days: usize,
    },
    /// A run could not work with the sources as they are.
    #[error("a run could not work with {0}")]
    SourcesUnusable(String),
    /// The result could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Something on this machine failed: a folder, a port, a service in this process.
    #[error("{0:#}")]
    Local(#[from] anyhow::Error),
}

impl Error {
    /// The process's exit code. A reader that has seen enough (`| head`) closes
    /// the pipe, which is not a failure.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Output(error) if error.kind() == ErrorKind::BrokenPipe => 0,
            Self::Usage(_) => USAGE,
            Self::RunUnsuccessful(_) => RUN_UNSUCCESSFUL,
            Self::NumbersDiffer { .. } => NUMBERS_DIFFER,
            Self::Unreachable { .. }
            | Self::Misaddressed { .. }
            | Self::Refused(_)
            | Self::OlderCoordinator { .. }
            | Self::Contract(_)
            | Self::Differs { .. }
            | Self::NotVerifiable { .. }
            | Self::SourcesUnusable(_)
            | Self::Output(_)
            | Self::Local(_) => FAILURE,
        }
    }
}

impl Error {
    /// The error of a call that coordinators of releases before do not know, and have no words for.
    #[must_use]
    pub fn of_newer_call(self, server: &str, call: &'static str) -> Self {
        match self {
            Self::Refused(status) if access::is_unknown_method(&status) => {
                Self::OlderCoordinator { server: server.to_owned(), call }
            }
            other => other,
        }
    }
}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        // Converting the error as a whole would hide its kind: a closed pipe is not a failure.
        Self::Output(match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            other => io::Error::other(format!("{other:?}")),
        })
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Output(error.into())
    }
}

/// Whether the same call may work later, unchanged.
#[must_use]
pub fn is_passing(status: &Status) -> bool {
    is_transport_failure(status)
        || status.code() == Code::Unavailable
        || (status.code() == Code::ResourceExhausted && asked_wait(status).is_some())
}

/// How long a server asks to wait before calling again.
pub fn asked_wait(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// What somebody can do whom the server does not let in. Its own message says who they are to
/// it, and which role is missing.
fn access_remedy(status: &Status) -> Option<&'static str> {
    match status.code() {
        _ if !access::is_refusal(status) => None,
        _ if access::is_unknown_method(status) => {
            Some("the server is older than this call; is --server wrong?")
        }
        Code::Unauthenticated => Some(
            "name a file with a good token by --token-file (TOKEN_FILE), or a client certificate by \
             --tls-client-cert-file and --tls-client-key-file",
        ),
        Code::PermissionDenied => {
            Some("have the role granted in the server's access file, or call as somebody who has it")
        }
        _ => None,
    }
}

/// An error status with the fields it rejects, one per line.
struct Refusal<'a>(&'a Status);

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match (self.0.message(), self.0.code()) {
            // The server lacks the method, so it cannot word the refusal.
            ("", Code::Unimplemented) => "the server does not serve this call; is --server wrong?",
            (message, _) => message,
        };
        write!(f, "{message} ({})", refusal::code(self.0))?;
        if let Some(remedy) = access_remedy(self.0) {
            write!(f, "; {remedy}")?;
        }
        if let Some(seconds) = refusal::retry_seconds(self.0) {
            write!(f, "; try again in {seconds} s")?;
        }
        for detail in refusal::details(self.0) {
            write!(f, "\n  {detail}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic_types::{ErrorDetails, PreconditionViolation};

    use super::*;

    #[test]
    fn every_failure_has_its_exit_code() {
        let refused = || Error::Refused(Box::new(Status::not_found("no such run")));
        for (error, code) in [
            (Error::Usage("--to is before --from".into()), 2),
            (Error::Unreachable { server: "http://h:1".into(), problem: "refused".into() }, 1),
            (refused(), 1),
            (Error::OlderCoordinator { server: "http://h:1".into(), call: "PreviewBackfill" }, 1),
            (Error::Misaddressed { server: "http://h:1".into(), problem: "TLS".into() }, 1),
            (Error::Contract("has no run"), 1),
            (Error::RunUnsuccessful("run 1 failed".into()), 3),
            (Error::NumbersDiffer { mismatches: 1, compared: 200, remedy: String::new() }, 4),
            (Error::Differs { differing: 1, days: 60 }, 1),
            (Error::NotVerifiable { unknown: 1, days: 60 }, 1),
            (Error::Output(ErrorKind::StorageFull.into()), 1),
            (Error::Output(ErrorKind::BrokenPipe.into()), 0),
            (Error::Local(anyhow::anyhow!("no such folder")), 1),
        ] {
            assert_eq!(error.exit_code(), code, "{error}");
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure_in_any_format() {
        let closed = || io::Error::from(ErrorKind::BrokenPipe);
        for error in [
            Error::from(csv::Error::from(closed())),
            Error::from(serde_json::Error::io(closed())),
            closed().into(),
        ] {
            assert_eq!(error.exit_code(), 0, "{error}");
        }
    }

    #[test]
    fn field_violations_are_reported_a_line_each() {
        let mut details = ErrorDetails::with_bad_request_violation("start_date", "\"soon\" is no day");
        details.add_bad_request_violation("page_size", "-1 is below zero");
        let status = Status::with_error_details(Code::InvalidArgument, "invalid request", details);
        assert_eq!(
            Error::Refused(Box::new(status)).to_string(),
            "invalid request (INVALID_ARGUMENT)\n  start_date: \"soon\" is no day\n  page_size: -1 is below zero"
        );
    }

    #[test]
    fn a_server_of_another_service_is_reported_as_such() {
        let refused = Error::Refused(Box::new(Status::unimplemented("")));
        assert_eq!(
            refused.to_string(),
            "the server does not serve this call; is --server wrong? (UNIMPLEMENTED)"
        );
    }

    #[test]
    fn a_refused_caller_learns_what_to_do() {
        let message = |refusal| Error::Refused(Box::new(Status::from(refusal))).to_string();
        let nobody = message(access::Refusal::from(access::CredentialError::Missing));
        assert!(nobody.contains("(UNAUTHENTICATED); ") && nobody.contains("--token-file"), "{nobody}");
        let denied = message(access::Refusal::Denied {
            names: vec!["token:alice".to_owned()],
            method: "a.B/C".to_owned(),
            needed: &[access::Role::Operator],
        });
        assert!(
            denied.starts_with("token:alice may not call a.B/C: that takes the role operator"),
            "{denied}"
        );
        assert!(denied.contains("access file"), "{denied}");
        // A source that refuses the pipeline's token has the same code.
        let source = Error::Refused(Box::new(Status::unauthenticated("the product API answered 401")));
        assert_eq!(source.to_string(), "the product API answered 401 (UNAUTHENTICATED)");
    }

    #[test]
    fn preconditions_and_retry_delays_are_reported() {
        let mut details = ErrorDetails::with_retry_info(Some(Duration::from_secs(7)));
        details.set_precondition_failure([PreconditionViolation::new("STATE", "run 1", "has succeeded")]);
        let status = Status::with_error_details(Code::FailedPrecondition, "cannot retry", details);
        assert_eq!(
            Error::Refused(Box::new(status)).to_string(),
            "cannot retry (FAILED_PRECONDITION); try again in 7 s\n  run 1: has succeeded"
        );
    }
}
