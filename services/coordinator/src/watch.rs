//! Watches a run until it has ended, whichever replica executes it.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warehouse::Run;

use crate::{
    error::Error,
    progress::{LiveRun, ProgressBoard, RunView},
    shared_read::{Read, SharedRead, SharedReads},
    trace_link::TraceLink,
};

/// How long a change by another replica may go unnoticed.
const POLL: Duration = Duration::from_secs(1);

/// The successive states of a run.
pub(crate) struct RunWatch {
    /// Dropped before `live`: a version of the board means nothing to those who come
    /// after the board has forgotten the run.
    shared: Arc<SharedRead>,
    live: watch::Receiver<LiveRun>,
    trace_link: Option<TraceLink>,
    shutdown: CancellationToken,
    /// How old what is reported may be: it only gets newer.
    since: Instant,
    /// The run as last read.
    read: Option<Read>,
    reported: Option<RunView>,
}

impl RunWatch {
    pub(crate) fn new(
        run_id: Uuid,
        reads: &SharedReads,
        board: &ProgressBoard,
        trace_link: Option<TraceLink>,
        shutdown: CancellationToken,
    ) -> Self {
        let live = board.subscribe(run_id);
        // From now on: a caller must see what it did before it asked.
        let (shared, since) = (reads.of(run_id), Instant::now());
        Self { shared, live, trace_link, shutdown, since, read: None, reported: None }
    }

    /// The run at first, then after every change; `None` after its end was returned.
    ///
    /// # Errors
    /// If the run does not exist, storage fails, or the process shuts down.
    pub(crate) async fn next(&mut self) -> Result<Option<RunView>, Error> {
        if self.reported.as_ref().is_some_and(|reported| reported.run.state.is_terminal()) {
            return Ok(None);
        }
        loop {
            let view = self.look().await?;
            if self.reported.as_ref() != Some(&view) {
                self.reported = Some(view.clone());
                return Ok(Some(view));
            }
            self.wait_for_change().await?;
        }
    }

    /// The run as last returned, if it was.
    pub(crate) fn last(&self) -> Option<&Run> {
        self.reported.as_ref().map(|reported| &reported.run)
    }

    /// Progress changes often and needs no read from the store.
    async fn look(&mut self) -> Result<RunView, Error> {
        let live = self.live.borrow_and_update().clone();
        let is_current = |read: &&Read| read.version >= live.version && read.began >= self.since;
        let read = match self.read.as_ref().filter(is_current) {
            Some(read) => read.clone(),
            None => self.shared.read(live.version, self.since).await?,
        };
        let view = RunView::new(read.run.as_ref().clone(), &live, self.trace_link.as_ref());
        self.read = Some(read);
        Ok(view)
    }

    async fn wait_for_change(&mut self) -> Result<(), Error> {
        let known = self.read.as_ref().map_or(self.since, |read| read.began);
        tokio::select! {
            () = self.shutdown.cancelled() => Err(Error::ShuttingDown),
            () = tokio::time::sleep_until(known + POLL) => {
                // Anything newer will do, also what another watcher has read meanwhile. Then
                // both are due at the same time, and from there on one read serves them.
                self.since = known + Duration::from_nanos(1);
                Ok(())
            }
            // The board keeps watched runs, so the sender always exists.
            Ok(()) = self.live.changed() => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
