//! Removes old data: published days and abandoned candidates; and finds out which
//! landed files are still needed.

use std::collections::BTreeSet;

use async_trait::async_trait;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use domain::{DateWindow, usage::CHURN_DAYS};
use uuid::Uuid;

use crate::error::{Error, Result};

/// Where history begins once older days are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryStart {
    fact: NaiveDate,
    usage: NaiveDate,
}

impl HistoryStart {
    /// Keeps published days and events from `first_kept` on, the first day of a month,
    /// because data stored by month is removed by month.
    ///
    /// # Errors
    /// [`Error::Precondition`] for any other day of a month.
    pub fn new(first_kept: NaiveDate) -> Result<Self> {
        let read_from = first_kept.checked_sub_days(Days::new(CHURN_DAYS - 1)).unwrap_or(NaiveDate::MIN);
        match read_from.with_day(1) {
            Some(usage) if first_kept.day() == 1 => Ok(Self { fact: first_kept, usage }),
            _ => Err(Error::Precondition(format!(
                "{first_kept} is not the first day of a month: whole months are forgotten; name the first day \
                 to keep"
            ))),
        }
    }

    /// The first published day to keep, and the first day of events.
    #[must_use]
    pub const fn fact(self) -> NaiveDate {
        self.fact
    }

    /// The first day of staged usage to keep: the first of the month that the first
    /// kept fact reads, so that every kept day can be recomputed.
    #[must_use]
    pub const fn usage(self) -> NaiveDate {
        self.usage
    }
}

/// What was unpublished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnpublishedDays {
    /// Number of published days.
    pub days: u64,
    /// Number of their rows.
    pub rows: u64,
}

/// What is removed with old days, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForgottenDays {
    /// Number of published days.
    pub days: u64,
    /// Number of their rows.
    pub rows: u64,
    /// Number of days of staged usage.
    pub usage_days: u64,
    /// Number of their records.
    pub usage_records: u64,
    /// Number of single events.
    pub events: u64,
    /// Number of monthly partitions, for an engine that has them.
    pub partitions: u64,
}

/// What is removed of what was published before, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ForgottenHistory {
    /// Number of replaced rows.
    pub rows: u64,
    /// Number of entries of the log of publications.
    pub publications: u64,
}

/// Reasons not to forget days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obstacles {
    /// A queued or running run with days that would be forgotten.
    pub active_run: Option<(Uuid, DateWindow)>,
    /// The run whose candidates, ready to be published, include such days.
    pub built_by: Option<Uuid>,
    /// Whether older days are published, but not the first one to keep.
    pub leaves_gap: bool,
}

impl Obstacles {
    /// Checks that there are no obstacles.
    ///
    /// # Errors
    /// [`Error::Precondition`] that says what to do about the first one.
    pub fn check(&self, start: HistoryStart) -> Result<()> {
        let first_kept = start.fact;
        let problem = if let Some((run_id, window)) = self.active_run {
            format!(
                "days before {first_kept} cannot be forgotten while run {run_id} over {window} is active: wait \
                 until it has ended, or cancel it, and try again"
            )
        } else if let Some(run_id) = self.built_by {
            format!(
                "days before {first_kept} cannot be forgotten while the candidates of run {run_id} have some of \
                 them: let it publish them or retry it, or wait for the next run, and try again"
            )
        } else if self.leaves_gap {
            // The schedule heals only gaps after the oldest published day.
            format!(
                "days before {first_kept} cannot be forgotten while {first_kept} itself is not published: \
                 nothing would fill that gap; trigger a run up to yesterday, and try again"
            )
        } else {
            return Ok(());
        };
        Err(Error::Precondition(problem))
    }
}

/// Candidates that will never be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbandonedCandidates {
    /// The run that built them.
    pub run_id: Uuid,
    /// Number of rows.
    pub rows: u64,
}

/// Removes old data. Repeating it changes nothing; a dry run only reports.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Forgets, all at once, the published days before `start` with their ledger
    /// entries, dirty marks and events, and the usage that no kept day reads. From then
    /// on it is as if they had never been published: a scheduled run does not go back
    /// to them, and a run over them fetches and builds them as new. The CRM's history
    /// and the runs stay.
    ///
    /// # Errors
    /// [`Error::Precondition`] as long as there are [`Obstacles`];
    /// [`Error::Unavailable`] if others hold the data for too long.
    async fn forget_days_before(&self, start: HistoryStart, dry_run: bool) -> Result<ForgottenDays>;

    /// Forgets what publishes until `kept_since` replaced, and their entries in the log except
    /// the newest of each day. The state that the newest publish left can always be read, and so
    /// can each one from `kept_since` on.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if others hold the data for too long.
    async fn forget_history_before(
        &self,
        kept_since: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<ForgottenHistory>;

    /// Discards the candidates of a run that ended before `ended_before`. Retrying the
    /// run builds them again.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if others hold them for too long.
    async fn discard_abandoned_candidates(
        &self,
        ended_before: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Option<AbandonedCandidates>>;

    /// Forgets the comparisons with the product API that ended before `kept_since`; returns how many.
    async fn forget_reconciliations_before(&self, kept_since: DateTime<Utc>, dry_run: bool) -> Result<u64>;

    /// The files among `paths`, below the landing's root, that staged usage came from.
    async fn landed_files_in_use(&self, paths: &[String]) -> Result<BTreeSet<String>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        domain::date_window::parse_day(text).unwrap()
    }

    #[test]
    fn usage_is_kept_from_the_month_that_the_first_kept_day_reads() {
        for (first_kept, usage) in
            [("2026-01-01", "2025-12-01"), ("2026-03-01", "2026-02-01"), ("2026-12-01", "2026-11-01")]
        {
            let start = HistoryStart::new(day(first_kept)).unwrap();
            assert_eq!((start.fact(), start.usage()), (day(first_kept), day(usage)));
        }
    }

    #[test]
    fn history_begins_with_a_month() {
        let refused = HistoryStart::new(day("2026-01-02")).unwrap_err();
        assert!(matches!(refused, Error::Precondition(_)), "{refused:?}");
        assert!(refused.to_string().starts_with("2026-01-02 is not the first day of a month"), "{refused}");
    }

    #[test]
    fn an_obstacle_is_reported_with_what_to_do_about_it() {
        let start = HistoryStart::new(day("2026-03-01")).unwrap();
        let none = Obstacles { active_run: None, built_by: None, leaves_gap: false };
        none.check(start).unwrap();
        let window = DateWindow::parse("2026-02-20", "2026-03-02").unwrap();
        for (obstacles, advice) in [
            (
                Obstacles { active_run: Some((Uuid::nil(), window)), ..none },
                "2026-02-20..2026-03-02 is active: wait",
            ),
            (Obstacles { built_by: Some(Uuid::nil()), ..none }, "let it publish them or retry it"),
            (Obstacles { leaves_gap: true, ..none }, "trigger a run up to yesterday"),
        ] {
            let refused = obstacles.check(start).unwrap_err().to_string();
            assert!(refused.contains(advice), "{refused}");
        }
    }
}
