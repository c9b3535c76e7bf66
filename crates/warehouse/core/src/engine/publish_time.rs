//! The times of publishes.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// The smallest step that every engine stores: Postgres' microsecond.
const STEP: TimeDelta = TimeDelta::microseconds(1);

/// Digits of a second's fraction in that step.
const STEP_DIGITS: u16 = 6;

/// The time of a publish at `now`, given that of the newest one before it: always later, so
/// that it names one publish alone. Clocks stand still, and differ from process to process.
#[must_use]
pub fn publish_time(now: DateTime<Utc>, newest: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let now = now.trunc_subsecs(STEP_DIGITS);
    newest.map_or(now, |newest| now.max(newest.trunc_subsecs(STEP_DIGITS) + STEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_publish_is_later_than_any_before_it() {
        let now = time("2026-06-01T12:00:00.123456789Z");
        let kept = time("2026-06-01T12:00:00.123456Z");
        assert_eq!(publish_time(now, None), kept);
        assert_eq!(publish_time(now, Some(time("2026-06-01T11:59:59Z"))), kept);
        let mut newest = kept;
        for microseconds in 1..4 {
            newest = publish_time(now, Some(newest));
            assert_eq!(newest, kept + TimeDelta::microseconds(microseconds));
        }
        // A clock that was ahead, and a time that an earlier release stored in full.
        let ahead = time("2026-06-02T00:00:00.000000999Z");
        assert_eq!(publish_time(now, Some(ahead)), time("2026-06-02T00:00:00.000001Z"));
    }
}
