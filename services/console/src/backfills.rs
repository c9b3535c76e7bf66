//! Backfills that were started here.
//!
//! A coordinator goes on with a backfill while its caller listens, so the console listens. If the
//! console ends, the run under way goes on, no further one is started, and what is done counts as
//! done when somebody asks for the same days again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use presentation::run_end::has_ended;
use proto::pipeline::v1::{BackfillRequest, BackfillResponse, Run};
use rand::{TryRng as _, rngs::SysRng};
use runtime::Clock;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::{backend::Services, failure::Failure};

/// How many may be under way at once. Their runs execute one at a time anyway.
const MOST_UNDER_WAY: usize = 4;
/// How many are remembered, those under way among them.
const MOST_REMEMBERED: usize = 32;
/// How long the page of runs lists those that have ended.
const TOLD_OF: TimeDelta = TimeDelta::days(1);

/// How often it is asked whether whoever has started one still may.
const AUTHORISED_FOR: Duration = Duration::from_secs(60);

/// Asks whether whoever has started a backfill still may.
pub(crate) type MayGoOn = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// The backfills that this console listens to, or has listened to.
#[derive(Clone)]
pub(crate) struct Backfills {
    clock: Arc<dyn Clock>,
    known: Arc<Mutex<VecDeque<Backfill>>>,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
}

/// A backfill, as far as it has come.
#[derive(Debug, Clone)]
pub(crate) struct Backfill {
    pub(crate) id: String,
    pub(crate) requested_by: String,
    pub(crate) request: BackfillRequest,
    pub(crate) started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    pub(crate) days_done: u32,
    pub(crate) days_total: u32,
    /// The run that changed last.
    pub(crate) run: Option<Run>,
    /// The first day that is not done; empty once all are.
    pub(crate) next_date: String,
    pub(crate) outcome: Outcome,
    /// Cancelled to start no further run of it.
    stop: CancellationToken,
    /// Who did that. The coordinator learns no more than that nobody listens any longer.
    stopped_by: Option<String>,
}

/// How a backfill ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has not.
    UnderWay,
    /// All days are done.
    Done,
    /// It stopped, for this reason.
    Stopped(String),
}

impl Backfill {
    /// What is left of it, as a backfill of its own. Without force the same days are asked for,
    /// and those already done count as done.
    pub(crate) fn rest(&self) -> BackfillRequest {
        let mut rest = self.request.clone();
        if let (true, Some(window)) = (rest.force && !self.next_date.is_empty(), rest.window.as_mut()) {
            window.start_date.clone_from(&self.next_date);
        }
        rest
    }

    fn take(&mut self, change: BackfillResponse) {
        self.days_done = change.days_done;
        self.days_total = change.days_total;
        self.next_date = change.next_date;
        if change.run.is_some() {
            self.run = change.run;
        }
    }
}

impl Backfills {
    pub(crate) fn new(clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Self {
        Self { clock, known: Arc::default(), places: Arc::new(Semaphore::new(MOST_UNDER_WAY)), shutdown }
    }

    /// Starts a backfill in the name of whom `services` are called as, and listens to it. Returns
    /// its id, which outlives no restart and names no other backfill after one.
    ///
    /// # Errors
    /// If too many are under way, or the coordinator refuses.
    pub(crate) async fn start(
        &self,
        services: &Services,
        request: BackfillRequest,
        requested_by: &str,
        may_go_on: MayGoOn,
    ) -> Result<String, Failure> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{MOST_UNDER_WAY} backfills are under way in this console; start it when one has ended, or by the \
                 command"
            ))
        })?;
        let id = SysRng.try_next_u64().map(|number| format!("{number:016x}"));
        let id = id.map_err(|problem| Status::internal(format!("no random numbers: {problem}")))?;
        let changes = services.pipeline().backfill(request.clone()).await?.into_inner();
        let stop = CancellationToken::new();
        let next_date = request.window.as_ref().map(|window| window.start_date.clone()).unwrap_or_default();
        self.remember(Backfill {
            id: id.clone(),
            requested_by: requested_by.to_owned(),
            request,
            started_at: self.clock.now(),
            ended_at: None,
            days_done: 0,
            days_total: 0,
            run: None,
            next_date,
            outcome: Outcome::UnderWay,
            stop: stop.clone(),
            stopped_by: None,
        });
        tokio::spawn(self.clone().listen(id.clone(), changes, place, stop, may_go_on));
        Ok(id)
    }

    /// The backfill of an id; `None` if none was started here under it.
    pub(crate) fn get(&self, id: &str) -> Option<Backfill> {
        self.known().iter().find(|backfill| backfill.id == id).cloned()
    }

    /// Those that have not ended, or not long ago, the newest first: whoever starts one may come
    /// back after it has stopped.
    pub(crate) fn recent(&self) -> Vec<Backfill> {
        let since = self.clock.now() - TOLD_OF;
        let is_recent = |backfill: &&Backfill| backfill.ended_at.is_none_or(|ended| ended >= since);
        self.known().iter().filter(is_recent).cloned().collect()
    }

    /// Starts no further run of a backfill. The one under way goes on.
    pub(crate) fn stop(&self, id: &str, stopped_by: &str) {
        self.update(id, |backfill| {
            backfill.stopped_by.get_or_insert_with(|| stopped_by.to_owned());
            backfill.stop.cancel();
        });
    }

    fn remember(&self, backfill: Backfill) {
        let mut known = self.known();
        known.push_front(backfill);
        if known.len() > MOST_REMEMBERED
            && let Some(oldest) = known.iter().rposition(|one| one.outcome != Outcome::UnderWay)
        {
            known.remove(oldest);
        }
    }

    async fn listen(
        self,
        id: String,
        mut changes: Streaming<BackfillResponse>,
        _place: OwnedSemaphorePermit,
        stop: CancellationToken,
        may_go_on: MayGoOn,
    ) {
        let mut authorisation = interval(AUTHORISED_FOR);
        authorisation.set_missed_tick_behavior(MissedTickBehavior::Delay);
        authorisation.reset();
        let outcome = loop {
            let change = tokio::select! {
                change = changes.message() => change,
                () = self.shutdown.cancelled() => break Outcome::Stopped("the console was stopped".to_owned()),
                () = stop.cancelled() => {
                    let by = self.get(&id).and_then(|backfill| backfill.stopped_by);
                    break Outcome::Stopped(format!("{} has stopped it", by.unwrap_or_default()));
                }
                _ = authorisation.tick() => {
                    if may_go_on().await {
                        continue;
                    }
                    break Outcome::Stopped("whoever has started it may not do so any more".to_owned());
                }
            };
            match change {
                Ok(Some(change)) => self.update(&id, |backfill| backfill.take(change)),
                Ok(None) => break self.get(&id).map_or(Outcome::Done, |backfill| ended(&backfill)),
                Err(status) => break Outcome::Stopped(status.message().to_owned()),
            }
        };
        let now = self.clock.now();
        self.update(&id, |backfill| (backfill.outcome, backfill.ended_at) = (outcome, Some(now)));
    }

    fn update(&self, id: &str, change: impl FnOnce(&mut Backfill)) {
        if let Some(backfill) = self.known().iter_mut().find(|backfill| backfill.id == id) {
            change(backfill);
        }
    }

    fn known(&self) -> MutexGuard<'_, VecDeque<Backfill>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a stream that ended without an error says.
fn ended(backfill: &Backfill) -> Outcome {
    if backfill.next_date.is_empty() && backfill.run.as_ref().is_none_or(has_ended) {
        Outcome::Done
    } else {
        Outcome::Stopped("the coordinator ended the stream before the backfill was done".to_owned())
    }
}
