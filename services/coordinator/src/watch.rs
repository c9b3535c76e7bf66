//! Watches a run until it has ended, whichever replica executes it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warehouse::{Run, RunReader};

use crate::{
    error::Error,
    progress::{LiveRun, ProgressBoard, RunView},
    trace_link::TraceLink,
};

/// How long a change by another replica may go unnoticed.
const POLL: Duration = Duration::from_secs(1);

/// The successive states of a run.
pub(crate) struct RunWatch {
    run_id: Uuid,
    runs: Arc<dyn RunReader>,
    live: watch::Receiver<LiveRun>,
    trace_link: Option<TraceLink>,
    shutdown: CancellationToken,
    /// The run as last read, and the version of the board it was read at.
    read: Option<(Run, u64)>,
    told: Option<RunView>,
}

impl RunWatch {
    pub(crate) fn new(
        run_id: Uuid,
        runs: Arc<dyn RunReader>,
        board: &ProgressBoard,
        trace_link: Option<TraceLink>,
        shutdown: CancellationToken,
    ) -> Self {
        let live = board.subscribe(run_id);
        Self { run_id, runs, live, trace_link, shutdown, read: None, told: None }
    }

    /// The run at first, then after every change; `None` after its end was returned.
    ///
    /// # Errors
    /// If the run does not exist, storage fails, or the process shuts down.
    pub(crate) async fn next(&mut self) -> Result<Option<RunView>, Error> {
        if self.told.as_ref().is_some_and(|told| told.run.state.is_terminal()) {
            return Ok(None);
        }
        loop {
            let view = self.look().await?;
            if self.told.as_ref() != Some(&view) {
                self.told = Some(view.clone());
                return Ok(Some(view));
            }
            self.wait_for_change().await?;
        }
    }

    /// The run as last returned, if it was.
    pub(crate) fn last(&self) -> Option<&Run> {
        self.told.as_ref().map(|told| &told.run)
    }

    /// Progress changes often and needs no read from the store.
    async fn look(&mut self) -> Result<RunView, Error> {
        let live = self.live.borrow_and_update().clone();
        let run = match &self.read {
            Some((run, version)) if *version == live.version => run.clone(),
            _ => {
                let run = self.runs.run(self.run_id).await?.ok_or(Error::RunNotFound(self.run_id))?;
                self.read = Some((run.clone(), live.version));
                run
            }
        };
        Ok(RunView::new(run, &live, self.trace_link.as_ref()))
    }

    async fn wait_for_change(&mut self) -> Result<(), Error> {
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Error::ShuttingDown),
            () = tokio::time::sleep(POLL) => {
                self.read = None;
                Ok(())
            }
            // The board keeps watched runs, so the sender always exists.
            Ok(()) = self.live.changed() => Ok(()),
        }
    }
}
