//! When a failed attempt is tried again: pure functions of the failure, the
//! policy and a random number.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Capped exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure, before jitter.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl Backoff {
    /// The wait after the `failures`-th failure, from 1: it doubles each time up
    /// to the cap, and `random`, from 0 to 1, takes it between half of that and
    /// all of it, so that what failed together does not return together.
    #[must_use]
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let doubling = 2_u32.saturating_pow(failures.saturating_sub(1));
        let longest = self.initial.saturating_mul(doubling).min(self.max);
        longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

/// How often a stage is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, at least 1. Interrupted ones do not count.
    pub max_attempts: u32,
    /// The waits between them.
    pub backoff: Backoff,
}

impl RetryPolicy {
    /// How long to wait before the next attempt after the `failures`-th failed
    /// one; `None` if the failure is final.
    ///
    /// A source that asks for patience (`retry_after`) gets it where it is
    /// longer than the backoff, though never longer than `longest_wait`.
    #[must_use]
    pub fn next_attempt_after(
        &self,
        is_transient: bool,
        failures: u32,
        retry_after: Option<Duration>,
        longest_wait: Duration,
        random: f64,
    ) -> Option<Duration> {
        if !is_transient || failures >= self.max_attempts {
            return None;
        }
        let asked_for = retry_after.unwrap_or_default().min(longest_wait);
        Some(self.backoff.delay(failures, random).max(asked_for))
    }
}

/// Where jitter comes from. Passed in, so that tests decide.
#[derive(Clone)]
pub struct Jitter(Arc<Mutex<StdRng>>);

impl Jitter {
    /// Jitter that the operating system seeds.
    ///
    /// # Errors
    /// If it has no randomness to give.
    pub fn from_system() -> anyhow::Result<Self> {
        Ok(Self::seeded(StdRng::try_from_rng(&mut rand::rngs::SysRng)?))
    }

    /// Jitter from a given source.
    #[must_use]
    pub fn seeded(random: StdRng) -> Self {
        Self(Arc::new(Mutex::new(random)))
    }

    /// The next random number, from 0 to 1.
    pub(crate) fn next(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

impl fmt::Debug for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jitter")
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

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let waits: Vec<u64> = (1..=4).map(|failures| POLICY.backoff.delay(failures, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 5, 5]);
        assert_eq!(POLICY.backoff.delay(u32::MAX, 1.0), SECOND * 5);
    }

    #[test]
    fn jitter_never_takes_more_than_half_of_the_wait() {
        assert_eq!(POLICY.backoff.delay(1, 0.0), SECOND);
        let jitter = Jitter::seeded(StdRng::seed_from_u64(7));
        for _ in 0..100 {
            let wait = POLICY.backoff.delay(2, jitter.next());
            assert!((SECOND * 2..=SECOND * 4).contains(&wait), "{wait:?}");
        }
    }

    #[test]
    fn the_last_attempt_and_a_lasting_error_are_final() {
        let next =
            |is_transient, failures| POLICY.next_attempt_after(is_transient, failures, None, SECOND, 1.0);
        assert_eq!(next(true, 3), Some(SECOND * 5));
        assert_eq!(next(true, 4), None);
        assert_eq!(next(false, 1), None);
    }

    #[test]
    fn a_source_that_asks_for_patience_gets_it_within_bounds() {
        let after = |asked| POLICY.next_attempt_after(true, 1, Some(asked), SECOND * 60, 1.0);
        assert_eq!(after(SECOND * 30), Some(SECOND * 30));
        assert_eq!(after(SECOND), Some(SECOND * 2));
        assert_eq!(after(SECOND * 3600), Some(SECOND * 60));
    }
}
