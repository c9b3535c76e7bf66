//! Deletes old data: what `activityctl maintain` does, task by task.

mod files;
mod progress;

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Utc};
use domain::failure::with_causes;
use indicatif::HumanCount;
use landing::Storage;
use warehouse::{DaySummation, ForgottenHistory, HistoryStart, Retention};

use crate::{
    error::Error,
    output::{Output, notice},
};
use files::{Files, Removed};

/// What to delete.
#[derive(Debug)]
pub struct Plan {
    /// Published days and events before this day go; `None` keeps all.
    pub first_kept_day: Option<NaiveDate>,
    /// What publishes until then replaced goes, and comparisons that ended before; `None` keeps all.
    pub history_before: Option<DateTime<Utc>>,
    /// Landed usage of days before this one goes; `None` keeps all.
    pub first_landed_day: Option<NaiveDate>,
    /// Leftovers older than this go.
    pub leftovers_before: DateTime<Utc>,
    /// Only report.
    pub dry_run: bool,
}

/// The first day of the month `months` before the one of `now`; `None` for 0.
#[must_use]
pub fn first_day_kept(now: DateTime<Utc>, months: u32) -> Option<NaiveDate> {
    let this_month = now.date_naive().with_day(1)?;
    (months > 0).then(|| this_month.checked_sub_months(Months::new(months)))?
}

/// The time until which history goes; `None` for 0.
///
/// # Errors
/// If that is outside the calendar.
pub fn history_before(now: DateTime<Utc>, days: u32) -> Result<Option<DateTime<Utc>>, Error> {
    if days == 0 {
        return Ok(None);
    }
    let before = now.checked_sub_days(Days::new(days.into()));
    before.map(Some).ok_or_else(|| Error::Usage("--keep-history-days is longer than the calendar".to_owned()))
}

/// The time before which leftovers go.
///
/// # Errors
/// If that is outside the calendar.
pub fn leftovers_before(now: DateTime<Utc>, age: Duration) -> Result<DateTime<Utc>, Error> {
    let age = chrono::TimeDelta::from_std(age).ok();
    age.and_then(|age| now.checked_sub_signed(age))
        .ok_or_else(|| Error::Usage("--leftovers-after is longer than the calendar".to_owned()))
}

/// Runs the tasks one after the other, reports what each did, and continues if one fails.
pub struct Maintenance<'a> {
    warehouse: &'a dyn Retention,
    plan: &'a Plan,
    output: &'a mut Output,
    has_reported: bool,
    tasks: usize,
    failed: usize,
}

impl<'a> Maintenance<'a> {
    /// Prepares the tasks of `plan`.
    pub const fn new(warehouse: &'a dyn Retention, plan: &'a Plan, output: &'a mut Output) -> Self {
        Self { warehouse, plan, output, has_reported: false, tasks: 0, failed: 0 }
    }

    /// Clears the warehouse: candidates, then days, then history and old comparisons.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub async fn clear_warehouse(&mut self) -> Result<(), Error> {
        let reported = self.discard_candidates().await.context("cannot discard abandoned candidates");
        self.report(reported)?;
        if let Some(first_kept) = self.plan.first_kept_day {
            let reported = self.forget_days(first_kept).await;
            self.report(reported.with_context(|| format!("cannot forget the days before {first_kept}")))?;
        }
        if let Some(before) = self.plan.history_before {
            let reported =
                self.forget_history(before).await.context("cannot forget what was published before");
            self.report(reported)?;
            let reported = self.forget_reconciliations(before).await;
            self.report(reported.context("cannot forget old comparisons with the product API"))?;
        }
        Ok(())
    }

    /// Sums up published days whose totals nobody has.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub async fn sum_up_days(&mut self, warehouse: &dyn DaySummation) -> Result<(), Error> {
        let dry_run = self.plan.dry_run;
        let summed = async {
            if dry_run { warehouse.days_without_totals().await } else { warehouse.sum_up_days().await }
        };
        let did = self.did("summed up", "sum up");
        let reported = summed.await.map(|days| {
            (days > 0).then(|| format!("{did} {} published days without totals", HumanCount(days)))
        });
        self.report(reported.context("cannot sum up published days"))
    }

    /// Clears landed product usage: old days, then unreferenced files.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub async fn clear_landing(&mut self, storage: &Storage) -> Result<(), Error> {
        let files = Files {
            storage,
            folder: ingest_api::LANDED_FOLDER,
            is_ours: |path| ingest_api::landed_day(path).is_some(),
            written_before: self.plan.leftovers_before,
            dry_run: self.plan.dry_run,
        };
        if let Some(first_kept) = self.plan.first_landed_day {
            let is_old = |path: &str| ingest_api::landed_day(path).is_some_and(|day| day < first_kept);
            let removed = files.remove_if(is_old).await;
            self.report_removed(removed, &format!("landed days before {first_kept}"))?;
        }
        let unused = files.remove_unused(self.warehouse).await;
        self.report_removed(unused, "landed days that nothing refers to")?;
        self.clear_temporaries(&files, "landed days").await
    }

    /// Clears what killed writes left beside the copies of CRM exports. The
    /// copies stay, loaded or not: they record what the CRM said, which it
    /// overwrites.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub async fn clear_archive(&mut self, storage: &Storage) -> Result<(), Error> {
        let files = Files {
            storage,
            folder: ingest_crm::ARCHIVE_FOLDER,
            is_ours: ingest_crm::is_archived_copy,
            written_before: self.plan.leftovers_before,
            dry_run: self.plan.dry_run,
        };
        self.clear_temporaries(&files, "copies of CRM exports").await
    }

    /// Ends the maintenance; says so if there was nothing to do.
    ///
    /// # Errors
    /// If a task has failed, or the output cannot be written.
    pub fn end(self) -> Result<(), Error> {
        if self.failed > 0 {
            let (failed, tasks) = (self.failed, self.tasks);
            return Err(anyhow::anyhow!("{failed} of {tasks} tasks failed, as reported above").into());
        }
        if !self.has_reported {
            self.output.line("nothing to remove")?;
        }
        Ok(())
    }

    async fn discard_candidates(&self) -> anyhow::Result<Option<String>> {
        let Plan { leftovers_before, dry_run, .. } = *self.plan;
        let discarded = self.warehouse.discard_abandoned_candidates(leftovers_before, dry_run).await?;
        Ok(discarded.map(|candidates| {
            let (rows, run_id) = (HumanCount(candidates.rows), candidates.run_id);
            format!(
                "{} the {rows} candidate rows of run {run_id}, which has ended",
                self.did("discarded", "discard")
            )
        }))
    }

    async fn forget_days(&self, first_kept: NaiveDate) -> anyhow::Result<Option<String>> {
        notice(format_args!("looking at the days before {first_kept}"));
        let start = HistoryStart::new(first_kept)?;
        let forgotten = self.warehouse.forget_days_before(start, self.plan.dry_run).await?;
        let [days, rows, usage_days, records, events, partitions] = [
            forgotten.days,
            forgotten.rows,
            forgotten.usage_days,
            forgotten.usage_records,
            forgotten.events,
            forgotten.partitions,
        ]
        .map(HumanCount);
        let is_something = forgotten != warehouse::ForgottenDays::default();
        Ok(is_something.then(|| {
            format!(
                "{} {days} published days before {first_kept}: {rows} rows, {events} events; {usage_days} days \
                 of usage before {}: {records} records; {partitions} partitions",
                self.did("forgot", "forget"),
                start.usage()
            )
        }))
    }

    async fn forget_history(&self, before: DateTime<Utc>) -> anyhow::Result<Option<String>> {
        let forgotten = self.warehouse.forget_history_before(before, self.plan.dry_run).await?;
        let [rows, publications] = [forgotten.rows, forgotten.publications].map(HumanCount);
        Ok((forgotten != ForgottenHistory::default()).then(|| {
            format!(
                "{} what publishes until {} replaced: {rows} rows, {publications} entries of the log of publications",
                self.did("forgot", "forget"),
                before.format("%Y-%m-%d %H:%M UTC")
            )
        }))
    }

    async fn forget_reconciliations(&self, before: DateTime<Utc>) -> anyhow::Result<Option<String>> {
        let forgotten = self.warehouse.forget_reconciliations_before(before, self.plan.dry_run).await?;
        Ok((forgotten > 0).then(|| {
            format!(
                "{} {} comparisons with the product API that ended before {}",
                self.did("forgot", "forget"),
                HumanCount(forgotten),
                before.format("%Y-%m-%d %H:%M UTC")
            )
        }))
    }

    async fn clear_temporaries(&mut self, files: &Files<'_>, what: &str) -> Result<(), Error> {
        let removed = files.remove_temporaries().await;
        self.report_removed(removed, &format!("temporaries of {what}"))
    }

    fn report_removed(&mut self, removed: anyhow::Result<Removed>, what: &str) -> Result<(), Error> {
        let did = self.did("removed", "remove");
        let reported = removed
            .map(|removed| (removed.files > 0).then(|| format!("{did} {removed} of {what}")))
            .with_context(|| format!("cannot remove {what}"));
        self.report(reported)
    }

    fn report(&mut self, reported: anyhow::Result<Option<String>>) -> Result<(), Error> {
        self.tasks += 1;
        match reported {
            Ok(None) => {}
            Ok(Some(line)) => {
                self.has_reported = true;
                self.output.line(line)?;
            }
            Err(error) => {
                self.failed += 1;
                notice(format_args!("error: {}", with_causes(&*error)));
            }
        }
        Ok(())
    }

    fn did(&self, done: &str, to_do: &str) -> String {
        if self.plan.dry_run { format!("would {to_do}") } else { done.to_owned() }
    }
}

impl std::fmt::Debug for Maintenance<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Maintenance").field("plan", self.plan).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn whole_months_are_kept_before_the_current_one() {
        let day = |text: &str| domain::date_window::parse_day(text);
        for (now, months, first) in [
            ("2026-03-31T23:59:59Z", 1, day("2026-02-01")),
            ("2026-03-01T00:00:00Z", 2, day("2026-01-01")),
            ("2026-03-31T12:00:00Z", 13, day("2025-02-01")),
            ("2026-03-31T12:00:00Z", 0, None),
        ] {
            assert_eq!(first_day_kept(at(now), months), first, "{now} {months}");
        }
    }

    #[test]
    fn a_cause_is_reported_once() {
        let busy = warehouse::Error::Unavailable(warehouse::Fault::plain("busy, try again"));
        let error = anyhow::Error::from(busy).context("cannot forget");
        assert_eq!(with_causes(&*error), "cannot forget: the warehouse is unavailable: busy, try again");
    }

    #[test]
    fn an_age_beyond_the_calendar_is_refused() {
        let now = at("2026-03-31T12:00:00Z");
        assert_eq!(leftovers_before(now, Duration::from_secs(86_400)).unwrap(), at("2026-03-30T12:00:00Z"));
        assert_eq!(leftovers_before(now, Duration::MAX).unwrap_err().exit_code(), 2);
    }
}
