//! Measured times.

use std::time::Duration;

/// The median, which a single disturbed repetition does not move.
pub(crate) fn median(times: Vec<Duration>) -> Duration {
    Duration::from_secs_f64(figures::median(times.iter().map(Duration::as_secs_f64).collect()))
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
