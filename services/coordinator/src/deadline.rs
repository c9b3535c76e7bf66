//! By when a day has to be published: what the watchdog alerts of, and what people are shown.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::{DateWindow, RunState};
use warehouse::{ActivityReader, Horizon, RunQuery, RunReader};

/// The time of day, in UTC, by which the day before must be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PublishDeadline(pub(crate) NaiveTime);

/// A day, and by when it has to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) day: NaiveDate,
    pub(crate) at: DateTime<Utc>,
}

impl PublishDeadline {
    /// The newest day that must be published by now.
    pub(crate) fn newest_due(self, now: DateTime<Utc>) -> Option<NaiveDate> {
        let before_today = if now.time() >= self.0 { 1 } else { 2 };
        now.date_naive().checked_sub_days(Days::new(before_today))
    }

    /// The first day without a publication that has a deadline, missed or to come. Of days that
    /// the schedule would not heal, nobody expects anything.
    pub(crate) async fn first_open(
        self,
        published: &dyn ActivityReader,
        runs: &dyn RunReader,
        pipeline: &str,
        horizon: Horizon,
        now: DateTime<Utc>,
    ) -> warehouse::Result<Option<Due>> {
        let (today, Some(newest_due)) = (now.date_naive(), self.newest_due(now)) else { return Ok(None) };
        let next_due = newest_due + Days::new(1);
        let day = match published.freshness().await? {
            None if has_a_run_ended(runs).await? => newest_due,
            None => next_due,
            Some(_) => {
                let yesterday = today - Days::new(1);
                let from = runs.scheduled_from(pipeline, yesterday, horizon).await?;
                first_unpublished(published, from, yesterday).await?.unwrap_or(today)
            }
        };
        Ok(Some(Due { day, at: (day + Days::new(1)).and_time(self.0).and_utc() }))
    }
}

impl fmt::Display for PublishDeadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format("%H:%M").fmt(f)
    }
}

/// Whether any run has ended: before, the pipeline is installed but not used yet, or its first
/// run is in progress, and no deadline is missed.
pub(crate) async fn has_a_run_ended(runs: &dyn RunReader) -> warehouse::Result<bool> {
    let states = vec![RunState::Succeeded, RunState::Failed, RunState::Cancelled];
    Ok(!runs.runs(&RunQuery { states, ..RunQuery::default() }, 1).await?.is_empty())
}

/// The first day from one to another that is not published.
async fn first_unpublished(
    published: &dyn ActivityReader,
    from: NaiveDate,
    to: NaiveDate,
) -> warehouse::Result<Option<NaiveDate>> {
    let Ok(days) = DateWindow::new(from, to) else { return Ok(None) };
    let ledger = published.published_days(days).await?;
    let there: BTreeSet<NaiveDate> = ledger.into_iter().map(|entry| entry.activity_date).collect();
    Ok(days.days().find(|day| !there.contains(day)))
}

#[cfg(test)]
mod tests {
    use domain::{
        RunTrigger,
        run::{DAILY_PIPELINE, STAGE_COPY_CRM_CSV},
    };
    use warehouse::{NewRun, WindowChoice};
    use warehouse_conformance::scene::{at, hold_new_run, hold_run, new_run, publish_run};

    use super::*;

    const NINE: PublishDeadline = PublishDeadline(NaiveTime::from_hms_opt(9, 0, 0).unwrap());

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_due_from_the_deadline_of_the_next_day_on() {
        for (now, due) in [
            ("2026-02-14T08:59:59Z", "2026-02-12"),
            ("2026-02-14T09:00:00Z", "2026-02-13"),
            ("2026-02-15T00:00:00Z", "2026-02-13"),
            ("2026-03-01T09:00:00Z", "2026-02-28"),
        ] {
            assert_eq!(NINE.newest_due(now.parse().unwrap()), Some(day(due)), "{now}");
        }
    }

    #[tokio::test]
    async fn the_first_day_without_a_publication_has_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let first_open = async |now: &str| {
            let horizon = Horizon { history_start: None, max_reach_days: 400 };
            let now = now.parse().unwrap();
            let open = NINE.first_open(&*warehouse, &*warehouse, DAILY_PIPELINE, horizon, now).await;
            let due = open.unwrap().unwrap();
            (due.day.to_string(), due.at.to_rfc3339())
        };
        let due = |day: &str, by: &str| (day.to_owned(), format!("{by}T09:00:00+00:00"));
        // Nothing has ever run, so nothing is missed.
        assert_eq!(first_open("2026-02-14T10:00:00Z").await, due("2026-02-14", "2026-02-15"));
        assert_eq!(first_open("2026-02-14T08:00:00Z").await, due("2026-02-13", "2026-02-14"));
        hold_run(&warehouse, DateWindow::day(day("2026-02-10")), at(1))
            .await
            .fail_at(STAGE_COPY_CRM_CSV)
            .await;
        assert_eq!(first_open("2026-02-14T10:00:00Z").await, due("2026-02-13", "2026-02-14"));
        let publish = async |on: &str| {
            publish_run(&warehouse, DateWindow::day(day(on)), at(1), &[], &[]).await;
        };
        publish("2026-02-10").await;
        publish("2026-02-12").await;
        // The gap, whose deadline is missed, and not the day after the newest one.
        assert_eq!(first_open("2026-02-13T08:00:00Z").await, due("2026-02-11", "2026-02-12"));
        publish("2026-02-11").await;
        // All published up to yesterday: today's deadline is tomorrow.
        assert_eq!(first_open("2026-02-13T08:00:00Z").await, due("2026-02-13", "2026-02-14"));
        assert_eq!(first_open("2026-02-14T08:00:00Z").await, due("2026-02-13", "2026-02-14"));
    }

    #[tokio::test]
    async fn no_deadline_is_missed_for_days_that_the_schedule_leaves_alone() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let first_open = async |now: &str| {
            let horizon = Horizon { history_start: None, max_reach_days: 30 };
            let now = now.parse().unwrap();
            let open = NINE.first_open(&*warehouse, &*warehouse, DAILY_PIPELINE, horizon, now).await;
            open.unwrap().unwrap().day.to_string()
        };
        let publish = async |on: &str| {
            publish_run(&warehouse, DateWindow::day(day(on)), at(1), &[], &[]).await;
        };
        // A stray day far from the others.
        publish("2025-06-01").await;
        publish("2026-01-20").await;
        publish("2026-01-21").await;
        assert_eq!(first_open("2026-01-22T08:00:00Z").await, "2026-01-22");
        // A pause that the schedule catches up with.
        assert_eq!(first_open("2026-02-10T08:00:00Z").await, "2026-01-22");
        // One that is too long: only yesterday is built.
        assert_eq!(first_open("2026-04-10T08:00:00Z").await, "2026-04-09");
        publish("2026-04-09").await;
        assert_eq!(first_open("2026-04-10T08:00:00Z").await, "2026-04-10");
    }

    #[tokio::test]
    async fn a_gap_after_the_oldest_backfilled_day_has_a_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let old = WindowChoice::Days(DateWindow::day(day("2025-10-01")));
        let old = NewRun { trigger: RunTrigger::Backfill, ..new_run(old) };
        let run = hold_new_run(&warehouse, old, at(1)).await;
        run.ingest(&[], &[]).await;
        run.build().await;
        run.publish().await;
        publish_run(&warehouse, DateWindow::day(day("2026-02-12")), at(1), &[], &[]).await;
        let horizon = Horizon { history_start: None, max_reach_days: 30 };
        let now = "2026-02-13T08:00:00Z".parse().unwrap();
        let open = NINE.first_open(&*warehouse, &*warehouse, DAILY_PIPELINE, horizon, now).await;
        assert_eq!(open.unwrap().unwrap().day, day("2025-10-02"));
    }
}
