//! How long an HTTP server asks to wait.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The wait that a `Retry-After` header asks for, in either of its forms: whole
/// seconds, or an HTTP date. `None` if it is neither, or asks for no wait at
/// all: then the caller's own backoff decides. The caller caps it.
#[must_use]
pub fn parse_retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
            (until - now).to_std().ok()?
        }
    };
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(value: &str) -> Option<u64> {
        let now = DateTime::parse_from_rfc3339("2026-02-14T06:00:00Z").unwrap().to_utc();
        parse_retry_after(value, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(parsed("7"), Some(7));
        assert_eq!(parsed(" 120 "), Some(120));
        assert_eq!(parsed("Sat, 14 Feb 2026 06:01:30 GMT"), Some(90));
    }

    #[test]
    fn what_asks_for_no_wait_is_left_to_the_backoff() {
        for value in ["0", "Sat, 14 Feb 2026 05:59:00 GMT", "-3", "soon", ""] {
            assert_eq!(parsed(value), None, "{value:?}");
        }
    }
}
