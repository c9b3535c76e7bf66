//! One watch of a run, however many look at it.

use std::{
    collections::HashMap,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use maud::Markup;
use presentation::run_end::has_ended;
use proto::pipeline::v1::{Run, WatchRunRequest, WatchRunResponse};
use runtime::Clock;
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::Frame;
use crate::backend::Services;

/// How often a run is drawn at most.
const PERIOD: Duration = Duration::from_secs(1);

/// Draws a run as it is at a time.
type Render = dyn Fn(&Run, DateTime<Utc>) -> Markup + Send + Sync;

/// The newest state; `None` until there is one.
type State = watch::Sender<Option<Frame>>;

/// The runs that somebody looks at.
#[derive(Clone)]
pub(crate) struct Hub {
    watched: Arc<Mutex<HashMap<String, Arc<State>>>>,
    render: Arc<Render>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
}

impl Hub {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
        render: impl Fn(&Run, DateTime<Utc>) -> Markup + Send + Sync + 'static,
    ) -> Self {
        Self { watched: Arc::default(), render: Arc::new(render), clock, shutdown }
    }

    /// Looks at a run, together with all others who do. The first one's credential opens the
    /// watch; whether the others may look is for the caller to check.
    pub(crate) fn join(&self, run_id: &str, services: &Services) -> watch::Receiver<Option<Frame>> {
        let mut watched = self.watched();
        if let Some(state) = watched.get(run_id) {
            let mut receiver = state.subscribe();
            // What there is already is news to those who come later.
            receiver.mark_changed();
            return receiver;
        }
        let (state, receiver) = watch::channel(None);
        let state = Arc::new(state);
        watched.insert(run_id.to_owned(), state.clone());
        let watched = WatchedRun { hub: self.clone(), run_id: run_id.to_owned(), state };
        tokio::spawn(watched.follow(services.clone()));
        receiver
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<String, Arc<State>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("watched", &self.watched().len()).finish_non_exhaustive()
    }
}

/// A run's place in the hub, which is free again once nobody follows the run.
struct WatchedRun {
    hub: Hub,
    run_id: String,
    state: Arc<State>,
}

impl WatchedRun {
    /// Follows the run until it has ended, the watch breaks, or nobody looks. Then the streams of
    /// those who still look end, and their browsers come again, each with its own credential.
    async fn follow(self, services: Services) {
        let shutdown = self.hub.shutdown.clone();
        let mut watching = pin!(self.watch(&services));
        loop {
            tokio::select! {
                result = &mut watching => {
                    if let Err(status) = result {
                        tracing::info!(run_id = %self.run_id, %status, "lost a watched run; browsers ask again");
                    }
                    return;
                }
                () = shutdown.cancelled() => return,
                () = self.state.closed() => if self.is_given_up() { return },
            }
        }
    }

    /// Gives the place up unless somebody looks again: nobody can join while that is decided.
    fn is_given_up(&self) -> bool {
        let mut watched = self.hub.watched();
        let is_given_up = self.state.receiver_count() == 0;
        if is_given_up {
            watched.remove(&self.run_id);
        }
        is_given_up
    }

    async fn watch(&self, services: &Services) -> Result<(), Status> {
        let request = WatchRunRequest { run_id: self.run_id.clone() };
        let mut changes = services.pipeline().watch_run(request).await?.into_inner();
        let mut run = next(&mut changes).await?;
        loop {
            self.show(&run);
            if has_ended(&run) {
                return Ok(());
            }
            let mut due = pin!(sleep(PERIOD));
            // What has started moves without being changed: its bars grow.
            let mut moves = run.start_time.is_some();
            while !has_ended(&run) {
                tokio::select! {
                    changed = next(&mut changes) => {
                        run = changed?;
                        moves = true;
                    }
                    () = &mut due, if moves => break,
                }
            }
        }
    }

    fn show(&self, run: &Run) {
        let html = (self.hub.render)(run, self.hub.clock.now());
        self.state.send_replace(Some(Frame::new(&html, has_ended(run))));
    }
}

impl Drop for WatchedRun {
    fn drop(&mut self) {
        let mut watched = self.hub.watched();
        // Somebody may have taken the place again after it was given up.
        if watched.get(&self.run_id).is_some_and(|state| Arc::ptr_eq(state, &self.state)) {
            watched.remove(&self.run_id);
        }
    }
}

async fn next(changes: &mut Streaming<WatchRunResponse>) -> Result<Run, Status> {
    let change =
        changes.message().await?.ok_or_else(|| Status::unavailable("the watch ended before the run"))?;
    change.run.ok_or_else(|| Status::internal("the watch has no run"))
}
