//! Alerts people when a day is not published in time, whatever the cause: it
//! was never triggered, its run is late, or its run failed and was not retried.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDate, Utc};
use domain::{AlertCause, DateWindow, RunTrigger};
use runtime::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tracing::warn;
use uuid::Uuid;
use warehouse::{ActivityReader, AlertOutbox, NewAlert, Run, RunQuery, RunReader};

use crate::{
    deadline::{self, PublishDeadline},
    pipeline::Pipeline,
};

/// How often to check: a minute does not matter on top of a deadline of hours.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many of the newest runs over the day are searched for one that publishes it.
const NEWEST_RUNS: u32 = 100;

/// What the alert names instead of a stage.
const STAGE: &str = "publish_deadline";

/// Checks the deadline while the process lives.
pub(crate) struct Watchdog {
    pub(crate) deadline: PublishDeadline,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) published: Arc<dyn ActivityReader>,
    pub(crate) runs: Arc<dyn RunReader>,
    pub(crate) outbox: Arc<dyn AlertOutbox>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Notified when an alert is in the outbox.
    pub(crate) alert_written: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
}

impl Watchdog {
    /// Runs until shutdown begins.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look().await {
                warn!(%error, "whether the newest day is published could not be read; trying again");
            }
        }
    }

    async fn look(&self) -> warehouse::Result<()> {
        let now = self.clock.now();
        let Some(day) = self.deadline.newest_due(now) else { return Ok(()) };
        if !self.published.published_days(DateWindow::day(day)).await?.is_empty() {
            return Ok(());
        }
        if self.published.freshness().await?.is_none() && !deadline::has_a_run_ended(&*self.runs).await? {
            return Ok(());
        }
        let query = RunQuery { days: Some(DateWindow::day(day)), ..RunQuery::default() };
        let runs = self.runs.runs(&query, NEWEST_RUNS).await?;
        let run = runs
            .into_iter()
            .find(|run| run.pipeline == self.pipeline.name && run.trigger != RunTrigger::Unpublish);
        let alert = self.alert(day, run.as_ref(), now);
        // The key is per day: a second check, or another replica, writes nothing.
        if self.outbox.write_alert(&alert).await? {
            warn!(%day, problem = alert.error_message, "the publish deadline is missed");
            self.alert_written.notify_one();
        }
        Ok(())
    }

    fn alert(&self, day: NaiveDate, run: Option<&Run>, now: DateTime<Utc>) -> NewAlert {
        let pipeline = self.pipeline.name.clone();
        let what = run.map_or_else(|| "no run covers it".to_owned(), so_far);
        NewAlert {
            cause: run.map_or(AlertCause::DeadlineWithoutRun, cause_of),
            alert_key: format!("{pipeline}/{STAGE}/{day}"),
            stage: STAGE.to_owned(),
            attempt: 0,
            error_code: contract::code_name(Code::DeadlineExceeded).to_owned(),
            error_message: format!("{day} is not published by {} UTC: {what}", self.deadline),
            run_id: run.map_or_else(Uuid::nil, |run| run.run_id),
            business_date: day,
            failed_at: now,
            pipeline,
        }
    }
}

const fn cause_of(run: &Run) -> AlertCause {
    if run.state.is_terminal() { AlertCause::DeadlineRunFailed } else { AlertCause::DeadlineRunActive }
}

/// How far the day's newest run got.
fn so_far(run: &Run) -> String {
    let unfinished = run.stages.iter().filter(|stage| !stage.state.is_terminal());
    let failed = run.stages.iter().filter(|stage| stage.error_message.is_some());
    let stages: Vec<String> = failed
        .chain(unfinished)
        .map(|stage| match &stage.error_message {
            Some(error) => format!("{} is {} ({error})", stage.stage, stage.state),
            None => format!("{} is {}", stage.stage, stage.state),
        })
        .collect();
    format!("run {} is {}; {}", run.run_id, run.state, stages.join(", "))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use domain::run::STAGE_COPY_CRM_CSV;
    use runtime::StoppedClock;
    use warehouse::SharedWarehouse;
    use warehouse_conformance::scene::{at, hold_run, publish_run};

    use super::*;
    use crate::pipeline::DAILY_PIPELINE_YAML;

    const NINE: PublishDeadline = PublishDeadline(NaiveTime::from_hms_opt(9, 0, 0).unwrap());

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The days that a check at this time alerts people of.
    async fn reported(warehouse: &SharedWarehouse, now: &str) -> Vec<NaiveDate> {
        let watchdog = Watchdog {
            deadline: NINE,
            pipeline: Arc::new(Pipeline::parse(DAILY_PIPELINE_YAML).unwrap()),
            published: warehouse.clone(),
            runs: warehouse.clone(),
            outbox: warehouse.clone(),
            clock: Arc::new(StoppedClock(now.parse().unwrap())),
            alert_written: Arc::default(),
            shutdown: CancellationToken::new(),
        };
        watchdog.look().await.unwrap();
        let alerts = warehouse.claim_due_alerts(10, Duration::from_secs(60)).await.unwrap();
        alerts.into_iter().map(|pending| pending.alert.business_date).collect()
    }

    #[tokio::test]
    async fn a_day_is_reported_once_if_it_is_due_and_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        // Nothing has ever run, so nothing is missed.
        assert_eq!(reported(&warehouse, "2026-02-14T10:00:00Z").await, []);
        publish_run(&warehouse, DateWindow::day(day("2026-02-13")), at(1), &[], &[]).await;
        for in_time in ["2026-02-14T10:00:00Z", "2026-02-15T08:59:59Z"] {
            assert_eq!(reported(&warehouse, in_time).await, [], "{in_time}");
        }
        assert_eq!(reported(&warehouse, "2026-02-15T09:00:00Z").await, [day("2026-02-14")]);
        assert_eq!(reported(&warehouse, "2026-02-15T09:01:00Z").await, []);
        assert_eq!(reported(&warehouse, "2026-02-16T09:00:00Z").await, [day("2026-02-15")]);
    }

    #[tokio::test]
    async fn a_first_run_under_way_is_no_missed_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let run = hold_run(&warehouse, DateWindow::day(day("2026-02-13")), at(1)).await;
        assert_eq!(reported(&warehouse, "2026-02-14T10:00:00Z").await, []);
        run.fail_at(STAGE_COPY_CRM_CSV).await;
        assert_eq!(reported(&warehouse, "2026-02-14T10:00:00Z").await, [day("2026-02-13")]);
    }
}
