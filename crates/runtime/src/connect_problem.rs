//! Why a service cannot be connected to, in words for people.

use std::{error::Error, fmt, iter::successors};

use tls::{ConnectError, ConnectFailure};

use crate::plain_connector::NOT_PLAIN;

/// Why a service cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectProblem {
    /// What is wrong, and what to do about it if that is known.
    pub message: String,
    /// Whether waiting does not help: an address, a certificate or a flag has to change.
    pub is_lasting: bool,
}

impl ConnectProblem {
    /// The problem that caused an error of tonic's: its own words say only that something
    /// in the transport went wrong.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let causes = || successors(Some(error), |&error| error.source());
        if let Some(ConnectError { failure, .. }) = causes().find_map(|cause| cause.downcast_ref()) {
            return Self { message: failure.to_string(), is_lasting: is_lasting(failure) };
        }
        let message = causes().last().map(ToString::to_string).unwrap_or_default();
        Self { is_lasting: message == NOT_PLAIN, message }
    }
}

const fn is_lasting(failure: &ConnectFailure) -> bool {
    !matches!(
        failure,
        ConnectFailure::Unreachable(_) | ConnectFailure::SlowHandshake(_) | ConnectFailure::Closed
    )
}

impl fmt::Display for ConnectProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
