//! Where a number stands on an axis.

/// An axis from zero to a round number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// The round number at its end.
    pub(super) top: f64,
}

impl Scale {
    /// An axis that has room for these numbers.
    pub(super) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let greatest = numbers.filter(|number| number.is_finite()).fold(0.0, f64::max);
        Self { top: rounded_up(greatest) }
    }

    /// The share of the axis that a number takes, from 0 to 1.
    pub(super) fn share(self, number: f64) -> f64 {
        (number / self.top).clamp(0.0, 1.0)
    }
}

/// The next number that is 1, 2 or 5 times a power of ten.
fn rounded_up(number: f64) -> f64 {
    if number <= 1.0 {
        return 1.0;
    }
    let power = 10f64.powf(number.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|top| *top >= number)
        .unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_round_number() {
        for (greatest, top) in
            [(0.0, 1.0), (1.0, 1.0), (7.0, 10.0), (120.0, 200.0), (4_999.0, 5_000.0), (5_001.0, 10_000.0)]
        {
            let scale = Scale::of([0.0, greatest].into_iter());
            assert_eq!(scale.top, top);
            assert!((0.0..=1.0).contains(&scale.share(greatest)));
        }
        assert_eq!(Scale::of(std::iter::empty()).share(0.0), 0.0);
        assert_eq!(Scale::of([f64::NAN, 3.0].into_iter()).top, 5.0);
    }
}
