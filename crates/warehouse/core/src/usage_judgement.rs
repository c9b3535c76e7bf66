//! Whether the product API's answer for a day is plausible.
//!
//! Apparent silence is often a fault at the source: an empty answer, or one that lacks
//! what it had yesterday, would make customers look as if they had left. Such a day is
//! refused until a person accepts it.

use chrono::NaiveDate;
use domain::{Counters, RejectionLimit, run::STAGE_CALL_PRODUCT_API, share};

use crate::{
    error::{Error, Result},
    received::Received,
};

/// How many preceding days show whether a day usually has records.
pub const HABIT_DAYS: u64 = 14;

/// How many of them must be known, each with records, to establish a habit.
const HABIT_MIN_DAYS: u64 = 7;

/// This many missing records are never too many: in a short day one is a large share.
const A_HANDFUL: u64 = 5;

/// How much an answer of the product API may lack before it is refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsageLimits {
    /// How many records may be rejected.
    pub rejections: RejectionLimit,
    /// The largest share of a day's known records, from 0 to 1, that a later answer may
    /// lack.
    pub max_loss_share: f64,
    /// Whether to accept the answer whatever it lacks, because a person said so.
    pub accepts_silence: bool,
}

impl UsageLimits {
    /// Accepts any answer.
    pub const NONE: Self =
        Self { rejections: RejectionLimit::NONE, max_loss_share: 1.0, accepts_silence: true };
}

/// A day's answer compared with what is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComparedDay {
    /// Companies with a readable record in the answer.
    pub arrived: u64,
    /// Records staged for the day; `None` if it was never fetched.
    pub known: Option<u64>,
    /// Known records that the answer lacks, not counting companies that an unreadable
    /// record may concern.
    pub lost: u64,
    /// How many of the [`HABIT_DAYS`] days before were fetched.
    pub days_before: u64,
    /// How many of those had records.
    pub days_before_with_records: u64,
}

impl ComparedDay {
    /// Whether the answer for `day`, of which `received` was read, is plausible.
    ///
    /// # Errors
    /// [`Error::Refused`] that says what is missing, and what to do.
    pub fn judge(&self, day: NaiveDate, received: &Received, limits: UsageLimits) -> Result<()> {
        if limits.accepts_silence {
            return Ok(());
        }
        match self.doubt(day, received, limits) {
            Some(doubt) => Err(Error::Refused(format!(
                "{doubt}; check the product API, then retry the run, or take the answer as it is with \
                 `activityctl trigger --date {day} --accept-empty {day}`"
            ))),
            None => Ok(()),
        }
    }

    fn doubt(&self, day: NaiveDate, received: &Received, limits: UsageLimits) -> Option<String> {
        let Counters { rows_read, .. } = received.counters;
        let known = self.known.unwrap_or(0);
        if rows_read > 0 && self.arrived == 0 {
            return Some(format!(
                "the product API's answer for {day}: none of its {rows_read} records can be read{}",
                received.first_reasons()
            ));
        }
        if let Err(problem) = received.within(limits.rejections) {
            return Some(format!(
                "the product API's answer for {day}: {problem}; they are listed by `activityctl quarantine list \
                 --stage {STAGE_CALL_PRODUCT_API} --date {day}`, and if they may stay as they are, accepted with \
                 `activityctl quarantine accept --stage {STAGE_CALL_PRODUCT_API} --date {day} --why ...`"
            ));
        }
        if self.arrived == 0 && known > 0 {
            return Some(format!(
                "the product API returned no record for {day}, which had {known} before: an empty answer for a \
                 known day is not believed"
            ));
        }
        if self.arrived == 0 && self.known.is_none() && self.is_silence_unusual() {
            return Some(format!(
                "the product API returned no record for {day}, while each of the {} days known before it has \
                 some: an empty answer is not taken for a day without usage",
                self.days_before
            ));
        }
        if self.lost > A_HANDFUL && share(self.lost, known) > limits.max_loss_share {
            return Some(format!(
                "the product API's answer for {day} lacks {} of {known} records that it had before, more than \
                 the allowed {:.1} %: an answer that lost so much is not believed",
                self.lost,
                limits.max_loss_share * 100.0
            ));
        }
        None
    }

    const fn is_silence_unusual(&self) -> bool {
        self.days_before >= HABIT_MIN_DAYS && self.days_before_with_records == self.days_before
    }
}

#[cfg(test)]
mod tests {
    use domain::{Rejection, RejectionReason, SourceRow, date_window::parse_day};

    use super::*;

    const LIMITS: UsageLimits = UsageLimits {
        rejections: RejectionLimit { max_share: 0.05 },
        max_loss_share: 0.05,
        accepts_silence: false,
    };

    fn received(readable: u64, unreadable: u64) -> Received {
        let mut received = Received::default();
        for line in 1..=readable {
            received.note(&SourceRow::Accepted { line, row: () });
        }
        for line in readable + 1..=readable + unreadable {
            let reason = RejectionReason::Malformed("torn".into());
            received.note::<()>(&SourceRow::Rejected(Rejection::new(line, reason, "")));
        }
        received
    }

    fn judge(compared: ComparedDay, received: &Received) -> std::result::Result<(), String> {
        let day = parse_day("2026-02-03").unwrap();
        compared.judge(day, received, UsageLimits::NONE).expect("whatever arrives is believed");
        compared.judge(day, received, LIMITS).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_that_lacks_what_is_expected_is_refused_with_the_way_out() {
        let habit = |days_before, days_before_with_records| ComparedDay {
            days_before,
            days_before_with_records,
            ..ComparedDay::default()
        };
        let beside = |arrived, known, lost| ComparedDay { arrived, known, lost, ..ComparedDay::default() };
        for (compared, received, expected) in [
            (beside(0, None, 0), received(0, 4), "none of its 4 records can be read: line 1: torn"),
            (beside(0, None, 0), received(0, 1), "none of its 1 records can be read"),
            (beside(30, None, 0), received(30, 3), "3 of 33 rows rejected"),
            (beside(0, Some(2), 2), received(0, 0), "no record for 2026-02-03, which had 2 before"),
            (habit(7, 7), received(0, 0), "while each of the 7 days known before it has some"),
            (beside(94, Some(100), 6), received(94, 0), "lacks 6 of 100 records"),
        ] {
            let refused = judge(compared, &received).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
            assert!(refused.contains("--accept-empty 2026-02-03"), "{refused}");
        }
    }

    #[test]
    fn an_answer_that_lacks_little_or_nothing_known_is_believed() {
        let habit = |days_before, days_before_with_records| ComparedDay {
            days_before,
            days_before_with_records,
            ..ComparedDay::default()
        };
        let beside = |arrived, known, lost| ComparedDay { arrived, known, lost, ..ComparedDay::default() };
        for (compared, received) in [
            // Too few days are known, or one of them was empty as well.
            (habit(6, 6), received(0, 0)),
            (habit(14, 13), received(0, 0)),
            // It was empty before, and a person accepted that.
            (ComparedDay { known: Some(0), ..habit(14, 14) }, received(0, 0)),
            (beside(1, Some(6), 5), received(1, 0)),
            (beside(190, Some(200), 10), received(190, 0)),
            (beside(2, None, 0), received(2, 2)),
        ] {
            assert_eq!(judge(compared, &received), Ok(()), "{compared:?}");
        }
    }
}
