//! Operations on runs: create, read, watch, cancel, retry.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, NaiveDate, Utc};
use contract::FieldViolations;
use domain::{
    DateWindow, RunTrigger,
    run::{STAGE_BUILD_FACT, STAGE_UNPUBLISH, STAGE_VALIDATE},
};
use runtime::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::{ContextV7, Timestamp, Uuid};
use warehouse::{
    ActivityReader, CreatedRun, Horizon, NewRun, NewStage, OutOfReach, Reach, Run, RunCursor, RunQuery,
    RunStore, WindowChoice,
};

use crate::{
    backfill_plan::{BackfillPlan, Selection},
    error::Error,
    pipeline::Pipeline,
    preview::Previewer,
    progress::{ProgressBoard, RunView},
    run_trace::{traceparent_of, traceparent_of_retry},
    shared_read::SharedReads,
    trace_link::TraceLink,
    watch::RunWatch,
};

/// The runs of the coordinator's pipeline.
pub(crate) struct Runs {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) store: Arc<dyn RunStore>,
    pub(crate) published: Arc<dyn ActivityReader>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: RunIds,
    pub(crate) board: ProgressBoard,
    /// What watchers of the same run read together.
    pub(crate) reads: SharedReads,
    /// Links a run to its trace.
    pub(crate) trace_link: Option<TraceLink>,
    /// Notified when a run is created or queued again.
    pub(crate) run_queued: Arc<Notify>,
    pub(crate) shutdown: CancellationToken,
    /// Previews backfills; `None` if no stage calls the product API.
    pub(crate) previewer: Option<Previewer>,
    /// How far back the schedule heals gaps, and how far requested days may lie from what is published.
    pub(crate) horizon: Horizon,
}

/// A page of runs.
pub(crate) struct RunPage {
    pub(crate) runs: Vec<RunView>,
    /// Where the next page starts; `None` on the last page.
    pub(crate) next: Option<RunCursor>,
}

/// What a run is asked to do.
#[derive(Default)]
pub(crate) struct AskedRun {
    /// Its days; `None` for every day not yet published, up to yesterday.
    pub(crate) window: Option<DateWindow>,
    /// Whether to run even if the days have succeeded.
    pub(crate) force: bool,
    /// Days whose answer counts however little it holds.
    pub(crate) accept_empty_days: BTreeSet<NaiveDate>,
    /// Days to compute and write anew.
    pub(crate) rebuild_days: BTreeSet<NaiveDate>,
    /// Whether to leave the sources alone.
    pub(crate) from_staging: bool,
}

impl Runs {
    /// Creates a run, or finds the one that makes it unnecessary.
    pub(crate) async fn trigger(
        &self,
        asked: AskedRun,
        requested_by: &str,
    ) -> Result<(RunView, bool), Error> {
        let AskedRun { window, force, accept_empty_days, rebuild_days, from_staging } = asked;
        let (window, trigger) = if let Some(days) = window {
            (WindowChoice::Days(days), RunTrigger::Manual)
        } else {
            let (through, horizon) = (self.clock.yesterday(), self.horizon);
            (WindowChoice::Unpublished { through, horizon }, RunTrigger::Scheduled)
        };
        let new = self.new_run(window, trigger, requested_by);
        let mut new = NewRun { force, accept_empty_days, rebuild_days, ..new };
        if from_staging {
            new.stages = from_staging_on(new.stages)?;
        }
        let CreatedRun { run, created } = self.store(new).await?;
        Ok((self.view(run), created))
    }

    /// Creates a run that unpublishes the published days of `window`.
    pub(crate) async fn unpublish(
        &self,
        window: DateWindow,
        requested_by: &str,
    ) -> Result<(RunView, bool), Error> {
        if self.published.published_days(window).await?.is_empty() {
            return Err(Error::NothingPublished(window));
        }
        let publisher = self.pipeline.stages.iter().find(|stage| stage.name == STAGE_VALIDATE);
        let stage = NewStage {
            stage: STAGE_UNPUBLISH.to_owned(),
            service: publisher.ok_or(Error::NoPublisher(STAGE_VALIDATE))?.service.clone(),
            depends_on: Vec::new(),
        };
        let new = self.new_run(WindowChoice::Days(window), RunTrigger::Unpublish, requested_by);
        let new = NewRun { stages: vec![stage], ..new };
        let CreatedRun { run, created } = self.store(new).await?;
        Ok((self.view(run), created))
    }

    /// Checks that requested days are not far from everything published, unless
    /// they are intended to be.
    pub(crate) async fn check_reach(&self, window: DateWindow, is_meant: bool) -> Result<(), Error> {
        let published = self.published.freshness().await?;
        let reach = Reach {
            max_days: self.horizon.max_reach_days,
            today: self.clock.now().date_naive(),
            published: published.map(|found| (found.oldest, found.newest.activity_date)),
        };
        match reach.check(window) {
            Err(OutOfReach::Far { .. }) if is_meant => Ok(()),
            Err(far @ OutOfReach::Far { .. }) => Err(FieldViolations::of("beyond_reach", far).into()),
            Err(absurd) => Err(FieldViolations::of("window", absurd).into()),
            Ok(()) => Ok(()),
        }
    }

    pub(crate) async fn create(
        &self,
        window: WindowChoice,
        trigger: RunTrigger,
        force: bool,
        requested_by: &str,
    ) -> Result<CreatedRun, Error> {
        self.store(NewRun { force, ..self.new_run(window, trigger, requested_by) }).await
    }

    fn new_run(&self, window: WindowChoice, trigger: RunTrigger, requested_by: &str) -> NewRun {
        let created_at = self.clock.now();
        let run_id = self.ids.next(created_at);
        NewRun {
            run_id,
            pipeline: self.pipeline.name.clone(),
            window,
            trigger,
            force: false,
            accept_empty_days: BTreeSet::new(),
            rebuild_days: BTreeSet::new(),
            stages: new_stages(&self.pipeline),
            requested_by: requested_by.to_owned(),
            traceparent: Some(traceparent_of(run_id)),
            created_at,
        }
    }

    async fn store(&self, new: NewRun) -> Result<CreatedRun, Error> {
        let created = self.store.create_run(new).await?;
        if created.created {
            let Run { run_id, window, trigger, .. } = &created.run;
            info!(%run_id, %window, %trigger, "run created");
            self.run_queued.notify_one();
        }
        Ok(created)
    }

    pub(crate) async fn get(&self, run_id: Uuid) -> Result<RunView, Error> {
        let run = self.store.run(run_id).await?.ok_or(Error::RunNotFound(run_id))?;
        Ok(self.view(run))
    }

    /// Up to `limit` runs, newest first.
    pub(crate) async fn list(&self, query: &RunQuery, limit: u32) -> Result<RunPage, Error> {
        // One more than requested, to learn whether another page follows.
        let mut runs = self.store.runs(query, limit.saturating_add(1)).await?;
        let has_more = runs.len() > limit as usize;
        runs.truncate(limit as usize);
        let next = runs.last().filter(|_| has_more).map(|run| RunCursor(run.run_id));
        Ok(RunPage { runs: runs.into_iter().map(|run| self.view(run)).collect(), next })
    }

    pub(crate) fn watch(&self, run_id: Uuid) -> RunWatch {
        let (trace_link, shutdown) = (self.trace_link.clone(), self.shutdown.clone());
        RunWatch::new(run_id, &self.reads, &self.board, trace_link, shutdown)
    }

    pub(crate) async fn cancel(&self, run_id: Uuid) -> Result<RunView, Error> {
        let run = self.store.cancel_run(run_id, self.clock.now()).await?;
        info!(%run_id, window = %run.window, "run CANCELLED");
        self.board.changed(run_id, None);
        Ok(self.view(run))
    }

    pub(crate) async fn retry(&self, run_id: Uuid) -> Result<RunView, Error> {
        let ended = self.store.run(run_id).await?.ok_or(Error::RunNotFound(run_id))?;
        let traceparent = traceparent_of_retry(&ended);
        let run = self.store.retry_run(run_id, traceparent.as_deref()).await?;
        info!(%run_id, window = %run.window, "run queued again");
        self.board.changed(run_id, None);
        self.run_queued.notify_one();
        Ok(self.view(run))
    }

    /// Plans a backfill of `window`: without `force`, only the days that are
    /// not published or whose newest run failed.
    pub(crate) async fn plan_backfill(
        &self,
        window: DateWindow,
        chunk_days: u64,
        force: bool,
    ) -> Result<BackfillPlan, Error> {
        let selection = if force {
            Selection::All
        } else {
            let published = self.published.published_days(window).await?;
            let failed = self.store.failed_days(&self.pipeline.name, window).await?;
            Selection::Open {
                published: published.into_iter().map(|entry| entry.activity_date).collect(),
                failed: failed.into_iter().collect(),
            }
        };
        Ok(BackfillPlan::new(window, chunk_days, &selection))
    }

    fn view(&self, run: Run) -> RunView {
        let live = self.board.live(run.run_id);
        RunView::new(run, &live, self.trace_link.as_ref())
    }
}

fn new_stages(pipeline: &Pipeline) -> Vec<NewStage> {
    pipeline
        .stages
        .iter()
        .map(|stage| NewStage {
            stage: stage.name.clone(),
            service: stage.service.clone(),
            depends_on: stage.depends_on.clone(),
        })
        .collect()
}

/// The build and the stages after it, in order: those that need no source.
fn from_staging_on(stages: Vec<NewStage>) -> Result<Vec<NewStage>, Error> {
    let mut kept: Vec<NewStage> = Vec::new();
    // A pipeline file may name a stage before those that it waits for.
    let mut left = stages;
    loop {
        let is_kept = |name: &String| kept.iter().any(|stage| stage.stage == *name);
        let (next, others): (Vec<_>, Vec<_>) = left
            .into_iter()
            .partition(|stage| stage.stage == STAGE_BUILD_FACT || stage.depends_on.iter().any(is_kept));
        if next.is_empty() {
            break;
        }
        kept.extend(next);
        left = others;
    }
    if kept.is_empty() {
        return Err(Error::NoBuild(STAGE_BUILD_FACT));
    }
    let names: BTreeSet<String> = kept.iter().map(|stage| stage.stage.clone()).collect();
    for stage in &mut kept {
        stage.depends_on.retain(|name| names.contains(name));
    }
    Ok(kept)
}

/// Generates run ids: UUIDv7, which sort by creation even within one millisecond.
#[derive(Debug, Default)]
pub(crate) struct RunIds(Mutex<ContextV7>);

impl RunIds {
    pub(crate) fn next(&self, now: DateTime<Utc>) -> Uuid {
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        Uuid::new_v7(Timestamp::from_unix(&self.0, seconds, now.timestamp_subsec_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_staging_on_no_stage_waits_for_a_source_in_whatever_order_the_file_has_them() {
        let stage = |name: &str, depends_on: &[&str]| NewStage {
            stage: name.to_owned(),
            service: String::new(),
            depends_on: depends_on.iter().map(ToString::to_string).collect(),
        };
        let file = vec![
            stage("tell_others", &[STAGE_VALIDATE, "copy"]),
            stage(STAGE_VALIDATE, &[STAGE_BUILD_FACT]),
            stage("copy", &[]),
            stage(STAGE_BUILD_FACT, &["copy"]),
        ];
        let expected = [
            stage(STAGE_BUILD_FACT, &[]),
            stage(STAGE_VALIDATE, &[STAGE_BUILD_FACT]),
            stage("tell_others", &[STAGE_VALIDATE]),
        ];
        assert_eq!(from_staging_on(file).unwrap(), expected);
        assert!(matches!(from_staging_on(vec![stage("copy", &[])]), Err(Error::NoBuild(_))));
    }

    #[test]
    fn ids_sort_by_creation_even_within_a_millisecond() {
        let ids = RunIds::default();
        let now = DateTime::from_timestamp(1_771_000_000, 123_000_000).unwrap();
        let made: Vec<Uuid> = (0..1000).map(|_| ids.next(now)).collect();
        assert!(made.is_sorted_by(|earlier, later| earlier < later));
        assert!(made.last().unwrap() < &ids.next(now + chrono::TimeDelta::milliseconds(1)));
    }
}
