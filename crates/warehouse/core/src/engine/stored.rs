//! Conversions of numbers to and from storage.

use std::time::Duration;

use domain::Counters;

use crate::error::{Error, Fault, Result};

/// A count for storage. Ours never come near the largest `i64`.
#[must_use]
pub fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A duration for storage, in milliseconds.
#[must_use]
pub fn stored_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count read from storage.
///
/// # Errors
/// [`corrupt`] if it is negative.
pub fn counted(count: i64) -> Result<u64> {
    u64::try_from(count).map_err(|_| corrupt(format!("a count is {count}")))
}

/// A returned position in what was requested.
///
/// # Errors
/// [`corrupt`] if it is negative.
pub fn position(ordinal: i64) -> Result<usize> {
    usize::try_from(ordinal).map_err(|_| corrupt(format!("a position is {ordinal}")))
}

/// The counters of a load, if they account for every row read.
///
/// # Errors
/// [`Error::Refused`] if not.
pub fn balanced(counters: Counters) -> Result<Counters> {
    counters.check_balance().map_err(|error| Error::Refused(error.to_string()))
}

/// The error for a stored value that no service can have written.
pub fn corrupt(problem: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Internal(Fault::new("it holds a value that no service writes", problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_count_is_an_error_that_the_log_can_explain() {
        assert_eq!(counted(7).unwrap(), 7);
        let refused = counted(-1).unwrap_err();
        assert!(matches!(refused, Error::Internal(_)));
        assert_eq!(refused.said(), Some("a count is -1"));
        assert!(position(-1).is_err());
    }

    #[test]
    fn what_is_too_large_to_store_is_stored_as_the_greatest_number() {
        assert_eq!(stored(u64::MAX), i64::MAX);
        assert_eq!(stored_millis(Duration::MAX), i64::MAX);
        assert_eq!(stored_millis(Duration::from_secs(2)), 2_000);
    }
}
