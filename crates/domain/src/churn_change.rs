//! How a company's risk of churn changes from day to day, and how long ago it was contacted.

/// How a company's risk of churn on a day compares with the day before. A company without a row
/// on the day before was not at risk then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChurnChange {
    /// At risk, and not the day before.
    New,
    /// At risk on both days.
    Still,
    /// Not at risk, and at risk the day before.
    Recovered,
}

impl ChurnChange {
    /// The change between the two days; `None` for a company at risk on neither.
    #[must_use]
    pub const fn between(was_at_risk: bool, is_at_risk: bool) -> Option<Self> {
        match (was_at_risk, is_at_risk) {
            (false, true) => Some(Self::New),
            (true, true) => Some(Self::Still),
            (true, false) => Some(Self::Recovered),
            (false, false) => None,
        }
    }

    /// Whether such a company was at risk the day before.
    #[must_use]
    pub const fn was_at_risk(self) -> bool {
        !matches!(self, Self::New)
    }

    /// Whether such a company is at risk on the day.
    #[must_use]
    pub const fn is_at_risk(self) -> bool {
        !matches!(self, Self::Recovered)
    }
}

/// How long ago a company was last contacted: the groups that companies at risk are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LastContact {
    /// Up to 30 days ago, or after the day.
    Month,
    /// 31 to 90 days ago.
    Quarter,
    /// 91 to 180 days ago.
    HalfYear,
    /// 181 to 365 days ago.
    Year,
    /// More than a year ago.
    Longer,
    /// Never.
    Never,
}

impl LastContact {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] =
        [Self::Month, Self::Quarter, Self::HalfYear, Self::Year, Self::Longer, Self::Never];

    /// The group of a company whose last contact was that many days ago; `None` for never.
    #[must_use]
    pub const fn of(days: Option<i32>) -> Self {
        match days {
            None => Self::Never,
            Some(..=30) => Self::Month,
            Some(31..=90) => Self::Quarter,
            Some(91..=180) => Self::HalfYear,
            Some(181..=365) => Self::Year,
            Some(366..) => Self::Longer,
        }
    }

    /// The least and the most days of the group; `None` for no limit, both of them for never.
    #[must_use]
    pub const fn days(self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Month => (Some(0), Some(30)),
            Self::Quarter => (Some(31), Some(90)),
            Self::HalfYear => (Some(91), Some(180)),
            Self::Year => (Some(181), Some(365)),
            Self::Longer => (Some(366), None),
            Self::Never => (None, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_what_it_is_between() {
        for change in [ChurnChange::New, ChurnChange::Still, ChurnChange::Recovered] {
            assert_eq!(ChurnChange::between(change.was_at_risk(), change.is_at_risk()), Some(change));
        }
        assert_eq!(ChurnChange::between(false, false), None);
    }

    #[test]
    fn every_number_of_days_is_in_the_group_whose_limits_hold_it() {
        for days in -400..1_000 {
            let (least, most) = LastContact::of(Some(days)).days();
            // A contact after the day counts as one on it.
            let counted = days.max(0);
            assert!(least.is_some_and(|least| least <= counted), "{days}");
            assert!(most.is_none_or(|most| counted <= most), "{days}");
        }
        assert_eq!(LastContact::of(None), LastContact::Never);
        assert!(LastContact::ALL.is_sorted());
    }
}
