//! How long a server asks to wait, and how long we do.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The wait that a `Retry-After` header requests, in either form: whole seconds, or an
/// HTTP date. `None` if it is neither, or requests no wait: then the caller's own
/// backoff decides. The caller caps the wait.
#[must_use]
pub fn parse_retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
        (until - now).to_std().ok()?
    };
    (!wait.is_zero()).then_some(wait)
}

/// How long to wait before retrying a server that may have asked for patience: what it
/// asks for if that is longer than the caller's own backoff, but no more than
/// `longest`, so that no server can stop the work.
#[must_use]
pub fn patient_wait(backoff: Duration, asked: Option<Duration>, longest: Duration) -> Duration {
    backoff.max(asked.unwrap_or_default().min(longest))
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

    #[test]
    fn a_server_gets_the_patience_it_asks_for_within_bounds() {
        let wait = |asked: Option<u64>| {
            let (backoff, longest) = (Duration::from_secs(2), Duration::from_secs(60));
            patient_wait(backoff, asked.map(Duration::from_secs), longest).as_secs()
        };
        assert_eq!([None, Some(1), Some(30), Some(3600)].map(wait), [2, 2, 30, 60]);
    }
}
