//! In-memory state of this process: the progress of running stages, and
//! notifications of every change. None of it needs to survive; the store is
//! authoritative.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use domain::{Progress, StageState};
use tokio::sync::watch;
use uuid::Uuid;
use warehouse::{Run, RunStage};

use crate::trace_link::TraceLink;

/// What this process knows of a run besides the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LiveRun {
    /// Incremented whenever this process changes the run in the store.
    pub(crate) version: u64,
    /// The newest progress of running stages, by stage.
    pub(crate) progress: HashMap<String, Progress>,
    /// The start of the wait for their service, per pending stage.
    pub(crate) waiting: HashMap<String, DateTime<Utc>>,
    /// When the next attempt is due, per pending stage that waits for it.
    pub(crate) next_attempts: HashMap<String, DateTime<Utc>>,
}

/// A run as stored, with the live progress of its running stages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunView {
    pub(crate) run: Run,
    pub(crate) progress: HashMap<String, Progress>,
    /// The start of the wait for their service, per pending stage.
    pub(crate) waiting: HashMap<String, DateTime<Utc>>,
    /// When the next attempt is due, per pending stage that waits for it.
    pub(crate) next_attempts: HashMap<String, DateTime<Utc>>,
    /// The URL of its trace.
    pub(crate) trace_url: Option<String>,
}

impl RunView {
    /// Combines both; keeps progress only of stages that the store shows as running, and waits
    /// only of those that it shows as pending in a run that goes on.
    pub(crate) fn new(run: Run, live: &LiveRun, trace_link: Option<&TraceLink>) -> Self {
        let waits = |stage: &str| {
            let is_pending = |one: &RunStage| one.stage == stage && one.state == StageState::Pending;
            !run.state.is_terminal() && run.stages.iter().any(is_pending)
        };
        let of_pending = |times: &HashMap<String, DateTime<Utc>>| {
            times
                .iter()
                .filter(|(stage, _)| waits(stage))
                .map(|(stage, time)| (stage.clone(), *time))
                .collect()
        };
        let (waiting, next_attempts) = (of_pending(&live.waiting), of_pending(&live.next_attempts));
        let progress = run
            .stages
            .iter()
            .filter(|stage| stage.state == StageState::Running)
            .filter_map(|stage| Some((stage.stage.clone(), live.progress.get(&stage.stage)?.clone())))
            .collect();
        let trace_url = trace_link.and_then(|link| link.of(&run));
        Self { run, progress, waiting, next_attempts, trace_url }
    }
}

/// Where executing stages report and watchers listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProgressBoard {
    runs: Arc<Mutex<HashMap<Uuid, watch::Sender<LiveRun>>>>,
}

impl ProgressBoard {
    /// Records the newest progress of a running stage.
    pub(crate) fn report(&self, run_id: Uuid, stage: &str, progress: Progress) {
        self.modify(run_id, |live| {
            live.progress.insert(stage.to_owned(), progress);
        });
    }

    /// Records that a stage waits for its service.
    pub(crate) fn wait(&self, run_id: Uuid, stage: &str, since: DateTime<Utc>) {
        self.modify(run_id, |live| {
            live.version += 1;
            live.waiting.insert(stage.to_owned(), since);
        });
    }

    /// Records that the wait is over, whether or not the service is there.
    pub(crate) fn end_wait(&self, run_id: Uuid, stage: &str) {
        if self.live(run_id).waiting.contains_key(stage) {
            self.modify(run_id, |live| {
                live.version += 1;
                live.waiting.remove(stage);
            });
        }
    }

    /// Records when the next attempt of a stage is due. The store knows nothing of it, so nobody
    /// has to read it again.
    pub(crate) fn postpone(&self, run_id: Uuid, stage: &str, until: DateTime<Utc>) {
        self.modify(run_id, |live| {
            live.next_attempts.insert(stage.to_owned(), until);
        });
    }

    /// Records that the next attempt of a stage is no longer waited for.
    pub(crate) fn end_postponement(&self, run_id: Uuid, stage: &str) {
        self.modify(run_id, |live| {
            live.next_attempts.remove(stage);
        });
    }

    /// Notifies watchers that this process changed the run in the store. If the
    /// change is about `stage`, its progress belongs to a finished attempt.
    pub(crate) fn changed(&self, run_id: Uuid, stage: Option<&str>) {
        self.modify(run_id, |live| {
            live.version += 1;
            if let Some(stage) = stage {
                live.progress.remove(stage);
            }
        });
    }

    /// Forgets the progress of a run that is no longer executed here.
    pub(crate) fn end(&self, run_id: Uuid) {
        self.modify(run_id, |live| {
            live.version += 1;
            live.progress.clear();
            live.waiting.clear();
            live.next_attempts.clear();
        });
        Self::forget_unwatched(&mut self.lock());
    }

    /// What is known of a run now.
    pub(crate) fn live(&self, run_id: Uuid) -> LiveRun {
        self.lock().get(&run_id).map(|sender| sender.borrow().clone()).unwrap_or_default()
    }

    /// Subscribes to a run, whether or not it is executed here yet.
    pub(crate) fn subscribe(&self, run_id: Uuid) -> watch::Receiver<LiveRun> {
        let mut runs = self.lock();
        Self::forget_unwatched(&mut runs);
        runs.entry(run_id).or_default().subscribe()
    }

    fn modify(&self, run_id: Uuid, modify: impl FnOnce(&mut LiveRun)) {
        self.lock().entry(run_id).or_default().send_modify(modify);
    }

    /// Without this, runs that were once watched would stay forever.
    fn forget_unwatched(runs: &mut HashMap<Uuid, watch::Sender<LiveRun>>) {
        runs.retain(|_, sender| {
            sender.receiver_count() > 0
                || !sender.borrow().progress.is_empty()
                || !sender.borrow().waiting.is_empty()
                || !sender.borrow().next_attempts.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, watch::Sender<LiveRun>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{Counters, DateWindow, RunState, RunTrigger};

    use super::*;

    fn run(state: RunState, stage: StageState) -> Run {
        let stage = RunStage {
            stage: "build_fact".to_owned(),
            service: "transform".to_owned(),
            depends_on: Vec::new(),
            state: stage,
            attempt: 1,
            failures: 1,
            started_at: None,
            ended_at: None,
            counters: Counters::default(),
            remarks: Vec::new(),
            error_code: None,
            error_message: None,
            earlier_attempts: Vec::new(),
        };
        Run {
            run_id: Uuid::from_u128(1),
            pipeline: "pl_daily".to_owned(),
            window: DateWindow::parse("2026-02-13", "2026-02-13").unwrap(),
            trigger: RunTrigger::Manual,
            accept_empty_days: BTreeSet::new(),
            rebuild_days: BTreeSet::new(),
            requested_by: None,
            state,
            lease_epoch: 1,
            created_at: DateTime::UNIX_EPOCH,
            started_at: None,
            ended_at: None,
            traceparent: None,
            stages: vec![stage],
        }
    }

    fn progress(units_done: u64) -> Progress {
        Progress { units_done, ..Progress::default() }
    }

    #[tokio::test]
    async fn a_watcher_hears_of_progress_and_of_changes() {
        let board = ProgressBoard::default();
        let run_id = Uuid::from_u128(1);
        let mut live = board.subscribe(run_id);
        board.report(run_id, "act_copy_crm_csv", progress(3));
        live.changed().await.unwrap();
        assert_eq!(live.borrow_and_update().progress.get("act_copy_crm_csv"), Some(&progress(3)));
        board.changed(run_id, Some("act_copy_crm_csv"));
        live.changed().await.unwrap();
        assert_eq!(*live.borrow(), LiveRun { version: 1, ..LiveRun::default() });
    }

    #[test]
    fn only_a_pending_stage_of_a_run_that_goes_on_waits() {
        let since = DateTime::UNIX_EPOCH;
        let times = || HashMap::from([("build_fact".to_owned(), since)]);
        let live = LiveRun { waiting: times(), next_attempts: times(), ..LiveRun::default() };
        for (run_state, state, waits) in [
            (RunState::Running, StageState::Pending, true),
            (RunState::Running, StageState::Running, false),
            (RunState::Running, StageState::Cancelled, false),
            (RunState::Cancelled, StageState::Pending, false),
        ] {
            let view = RunView::new(run(run_state, state), &live, None);
            let expected = if waits { times() } else { HashMap::new() };
            assert_eq!((view.waiting, view.next_attempts), (expected.clone(), expected), "{state}");
        }
    }

    #[test]
    fn what_nobody_watches_or_executes_is_forgotten() {
        let board = ProgressBoard::default();
        let (executed, watched) = (Uuid::from_u128(1), Uuid::from_u128(2));
        drop(board.subscribe(Uuid::from_u128(3)));
        board.report(executed, "act_copy_crm_csv", progress(1));
        let _watcher = board.subscribe(watched);
        assert_eq!(board.lock().len(), 2);
        board.end(executed);
        assert_eq!(board.lock().keys().collect::<Vec<_>>(), [&watched]);
        assert_eq!(board.live(executed), LiveRun::default());
    }
}
