//! Measured times.

use std::time::Duration;

/// The median, which a single disturbed repetition does not move; of an even number, the upper one.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// `time` as a multiple of `other`.
pub(crate) fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_disturbed_repetition_does_not_count() {
        let times = [3, 90, 2].map(Duration::from_secs);
        assert_eq!(median(times.to_vec()), Duration::from_secs(3));
    }
}
