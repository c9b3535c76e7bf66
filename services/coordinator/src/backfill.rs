//! Runs the pipeline over past days, chunk by chunk.

use std::{collections::VecDeque, sync::Arc};

use chrono::NaiveDate;
use domain::{DateWindow, RunState, RunTrigger, StageState};
use warehouse::{Run, WindowChoice};

use crate::{
    backfill_plan::{BackfillPlan, Chunk},
    error::Error,
    progress::RunView,
    runs::Runs,
    watch::RunWatch,
};

/// A backfill's state after one of its runs changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BackfillUpdate {
    /// The run that changed; `None` if there is nothing to run.
    pub(crate) view: Option<RunView>,
    /// Days that are done.
    pub(crate) days_done: u64,
    /// Days in total.
    pub(crate) days_total: u64,
    /// The first day that is not done; `None` once all are.
    pub(crate) next_day: Option<NaiveDate>,
}

/// A backfill that advances when asked for its next update. If nobody asks, it
/// stops after the run in progress.
pub(crate) struct Backfill {
    runs: Arc<Runs>,
    chunks: VecDeque<Chunk>,
    current: Option<(DateWindow, RunWatch)>,
    days_done: u64,
    days_total: u64,
    has_reported: bool,
}

impl Backfill {
    /// Creates the backfill for `plan`.
    pub(crate) fn new(runs: Arc<Runs>, plan: BackfillPlan) -> Self {
        Self {
            runs,
            days_done: plan.days_done(),
            days_total: plan.days_total,
            chunks: plan.chunks.into(),
            current: None,
            has_reported: false,
        }
    }

    /// The next change, or `None` once every chunk has succeeded.
    ///
    /// # Errors
    /// [`Error::BackfillStopped`] after a run ended without success.
    pub(crate) async fn next(&mut self) -> Result<Option<BackfillUpdate>, Error> {
        loop {
            let Some((window, watch)) = &mut self.current else {
                let Some(chunk) = self.chunks.pop_front() else {
                    return Ok((!self.has_reported).then(|| self.update(None)));
                };
                self.current = Some((chunk.window, self.start(chunk).await?));
                continue;
            };
            let window = *window;
            if let Some(view) = watch.next().await? {
                if view.run.state == RunState::Succeeded {
                    self.days_done += window.len_days();
                }
                return Ok(Some(self.update(Some(view))));
            }
            let ended = watch.last().cloned();
            self.current = None;
            match ended {
                Some(run) if run.state != RunState::Succeeded => return Err(stopped(&run)),
                _ => {}
            }
        }
    }

    async fn start(&self, chunk: Chunk) -> Result<RunWatch, Error> {
        let window = WindowChoice::Days(chunk.window);
        let created = self.runs.create(window, RunTrigger::Backfill, chunk.is_rerun).await?;
        Ok(self.runs.watch(created.run.run_id))
    }

    fn update(&mut self, view: Option<RunView>) -> BackfillUpdate {
        self.has_reported = true;
        let is_done = view.as_ref().is_some_and(|view| view.run.state == RunState::Succeeded);
        let under_way = self.current.as_ref().filter(|_| !is_done).map(|(window, _)| *window);
        let next = under_way.or_else(|| self.chunks.front().map(|chunk| chunk.window));
        BackfillUpdate {
            view,
            days_done: self.days_done,
            days_total: self.days_total,
            next_day: next.map(|window| window.start()),
        }
    }
}

fn stopped(run: &Run) -> Error {
    let failed = run.stages.iter().find(|stage| stage.state == StageState::Failed);
    let reason = failed.map(|stage| {
        format!(": {} failed: {}", stage.stage, stage.error_message.as_deref().unwrap_or("without a message"))
    });
    Error::BackfillStopped {
        run_id: run.run_id,
        window: run.window,
        state: run.state,
        reason: reason.unwrap_or_default(),
    }
}
