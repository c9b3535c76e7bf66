//! When to retry a failed attempt, as functions of the failure and the policy.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use domain::retry_after::patient_wait;

/// Doublings after which no wait grows any further: more than lie between a
/// nanosecond and the longest duration.
const MOST_DOUBLINGS: usize = 96;

/// Capped exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after the `failures`-th failure, from 1: it doubles each time
    /// up to the cap, and jitter takes off up to half, so that what failed
    /// together does not retry together.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        // Its jitter adds up to as much again, so start from half the values.
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(self.initial / 2)
            .with_max_delay(self.max / 2)
            .without_max_times()
            .with_jitter()
            .build();
        let doublings = usize::try_from(failures.saturating_sub(1)).unwrap_or(MOST_DOUBLINGS);
        waits.nth(doublings.min(MOST_DOUBLINGS)).unwrap_or(self.max)
    }
}

/// How often a stage is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Total attempts, at least 1. Interrupted ones do not count.
    pub max_attempts: u32,
    /// The waits between them.
    pub backoff: Backoff,
}

impl RetryPolicy {
    /// The wait after the `failures`-th failed attempt; `None` if the failure
    /// is final. If a source asks for a wait (`retry_after`), it gets it, up to
    /// `longest_wait`.
    #[must_use]
    pub fn next_attempt_after(
        &self,
        is_transient: bool,
        failures: u32,
        retry_after: Option<Duration>,
        longest_wait: Duration,
    ) -> Option<Duration> {
        if !is_transient || failures >= self.max_attempts {
            return None;
        }
        Some(patient_wait(self.backoff.delay(failures), retry_after, longest_wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const POLICY: RetryPolicy = RetryPolicy {
        max_attempts: 4,
        backoff: Backoff { initial: Duration::from_secs(2), max: SECOND.saturating_mul(5) },
    };

    fn assert_around(wait: Duration, longest: Duration) {
        assert!((longest / 2..=longest).contains(&wait), "{wait:?} is no part of {longest:?}");
    }

    #[test]
    fn the_wait_doubles_up_to_its_cap_and_jitter_never_takes_more_than_half_of_it() {
        for _ in 0..100 {
            for (failures, longest) in [(1, 2), (2, 4), (3, 5), (4, 5), (u32::MAX, 5)] {
                assert_around(POLICY.backoff.delay(failures), SECOND * longest);
            }
        }
    }

    #[test]
    fn what_failed_together_does_not_return_together() {
        let first = POLICY.backoff.delay(1);
        assert!((0..100).any(|_| POLICY.backoff.delay(1) != first));
    }

    #[test]
    fn the_last_attempt_and_a_lasting_error_are_final() {
        let next = |is_transient, failures| POLICY.next_attempt_after(is_transient, failures, None, SECOND);
        assert_around(next(true, 3).unwrap(), SECOND * 5);
        assert_eq!(next(true, 4), None);
        assert_eq!(next(false, 1), None);
    }

    #[test]
    fn a_source_that_asks_for_patience_gets_it_within_bounds() {
        let after = |asked| POLICY.next_attempt_after(true, 1, Some(asked), SECOND * 60).unwrap();
        assert_eq!(after(SECOND * 30), SECOND * 30);
        assert_around(after(SECOND), SECOND * 2);
        assert_eq!(after(SECOND * 3600), SECOND * 60);
    }
}
