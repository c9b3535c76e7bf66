//! How the API's response for a day changes after the day is over.

use rand::{Rng, RngExt as _};

use crate::defects::DefectRates;

/// How one usage record changes. Its age is the number of days from its day to the day
/// on which the API is asked; at age 1 the day has just ended, and before that the
/// record does not exist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Revision {
    /// The record exists, and is final, once its day is over.
    Punctual,
    /// The record appears this many days late.
    Late { days: i64 },
    /// The counts are too low by this share until they are corrected this many days
    /// later.
    Corrected { days: i64, missing_share: f64 },
    /// The record vanishes this many days later.
    Withdrawn { days: i64 },
}

impl Revision {
    pub(crate) fn draw(rates: &DefectRates, rng: &mut impl Rng) -> Self {
        let late_below = rates.late_records;
        let corrected_below = late_below + rates.corrected_records;
        let withdrawn_below = corrected_below + rates.withdrawn_records;
        let drawn: f64 = rng.random();
        if drawn < late_below {
            Self::Late { days: rng.random_range(1..=3) }
        } else if drawn < corrected_below {
            Self::Corrected { days: rng.random_range(1..=2), missing_share: rng.random_range(0.05..0.6) }
        } else if drawn < withdrawn_below {
            Self::Withdrawn { days: rng.random_range(1..=3) }
        } else {
            Self::Punctual
        }
    }

    /// The share of the final counts that the API returns at `age`; `None` if it has no
    /// record then.
    pub(crate) fn share_at(self, age: i64) -> Option<f64> {
        match self {
            _ if age < 1 => None,
            Self::Punctual => Some(1.0),
            Self::Late { days } => (age > days).then_some(1.0),
            Self::Corrected { days, missing_share } if age <= days => Some(1.0 - missing_share),
            Self::Corrected { .. } => Some(1.0),
            Self::Withdrawn { days } => (age <= days).then_some(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(revision: Revision) -> Vec<Option<f64>> {
        (0..=4).map(|age| revision.share_at(age)).collect()
    }

    #[test]
    fn each_revision_shows_at_its_age() {
        let all = Some(1.0);
        assert_eq!(shares(Revision::Punctual), [None, all, all, all, all]);
        assert_eq!(shares(Revision::Late { days: 2 }), [None, None, None, all, all]);
        let corrected = Revision::Corrected { days: 1, missing_share: 0.25 };
        assert_eq!(shares(corrected), [None, Some(0.75), all, all, all]);
        assert_eq!(shares(Revision::Withdrawn { days: 3 }), [None, all, all, all, None]);
    }
}
