use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::{DateWindow, RunState, RunTrigger, trend::StageExecution};
use tokio::task::JoinSet;
use warehouse::{RunQuery, RunReader};

use super::*;

/// A store of one run that counts its reads.
struct Counting {
    run: Mutex<Run>,
    reads: AtomicUsize,
}

impl Counting {
    fn new() -> Arc<Self> {
        let run = Run {
            run_id: Uuid::from_u128(1),
            pipeline: "pl_daily".to_owned(),
            window: DateWindow::parse("2026-02-13", "2026-02-13").unwrap(),
            trigger: RunTrigger::Manual,
            accept_empty_days: BTreeSet::new(),
            rebuild_days: BTreeSet::new(),
            requested_by: None,
            state: RunState::Queued,
            lease_epoch: 0,
            created_at: "2026-02-14T06:00:00Z".parse().unwrap(),
            started_at: None,
            ended_at: None,
            traceparent: None,
            stages: Vec::new(),
        };
        Arc::new(Self { run: Mutex::new(run), reads: AtomicUsize::new(0) })
    }

    fn enter(&self, state: RunState) {
        self.run.lock().unwrap().state = state;
    }

    /// The reads since this was last asked.
    fn reads(&self) -> usize {
        self.reads.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl RunReader for Counting {
    async fn run(&self, run_id: Uuid) -> warehouse::Result<Option<Run>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        // A read takes a while, in which others arrive.
        tokio::time::sleep(Duration::from_millis(3)).await;
        Ok(Some(self.run.lock().unwrap().clone()).filter(|run| run.run_id == run_id))
    }

    async fn runs(&self, _: &RunQuery, _: u32) -> warehouse::Result<Vec<Run>> {
        Ok(Vec::new())
    }

    async fn active_runs(&self, _: &str, _: u32) -> warehouse::Result<Vec<Uuid>> {
        Ok(Vec::new())
    }

    async fn scheduled_from(
        &self,
        _: &str,
        through: NaiveDate,
        _: warehouse::Horizon,
    ) -> warehouse::Result<NaiveDate> {
        Ok(through)
    }

    async fn failed_days(&self, _: &str, _: DateWindow) -> warehouse::Result<Vec<NaiveDate>> {
        Ok(Vec::new())
    }

    async fn recent_executions(&self, _: &Run, _: &str, _: u32) -> warehouse::Result<Vec<StageExecution>> {
        Ok(Vec::new())
    }
}

struct Rig {
    store: Arc<Counting>,
    reads: SharedReads,
    board: ProgressBoard,
}

impl Rig {
    fn new() -> Self {
        let store = Counting::new();
        Self { reads: SharedReads::new(store.clone()), store, board: ProgressBoard::default() }
    }

    fn watch(&self) -> RunWatch {
        RunWatch::new(Uuid::from_u128(1), &self.reads, &self.board, None, CancellationToken::new())
    }

    /// Starts watchers one after the other; each ends with the states that it reported.
    async fn watchers(&self, count: usize) -> JoinSet<Vec<RunState>> {
        let mut watchers = JoinSet::new();
        for _ in 0..count {
            let mut watch = self.watch();
            watchers.spawn(async move {
                let mut reported = Vec::new();
                while let Some(view) = watch.next().await.unwrap() {
                    reported.push(view.run.state);
                }
                reported
            });
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
        watchers
    }
}

#[tokio::test(start_paused = true)]
async fn a_hundred_watchers_read_about_as_often_as_one() {
    let mut polls = Vec::new();
    for count in [1, 100] {
        let rig = Rig::new();
        let watchers = rig.watchers(count).await;
        assert!(rig.store.reads() <= count + 2, "each reads when it begins");
        tokio::time::sleep(Duration::from_secs(20)).await;
        polls.push(rig.store.reads());
        rig.store.enter(RunState::Running);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        rig.store.enter(RunState::Succeeded);
        for reported in watchers.join_all().await {
            assert_eq!(reported, [RunState::Queued, RunState::Running, RunState::Succeeded]);
        }
    }
    assert!(polls[0] >= 19, "{polls:?}");
    assert!(polls[1] <= polls[0] + 1, "{polls:?}");
}

#[tokio::test(start_paused = true)]
async fn one_read_tells_all_watchers_what_this_process_changed() {
    let rig = Rig::new();
    let watchers = rig.watchers(100).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    rig.store.reads();
    rig.store.enter(RunState::Cancelled);
    rig.board.changed(Uuid::from_u128(1), None);
    for reported in watchers.join_all().await {
        assert_eq!(reported, [RunState::Queued, RunState::Cancelled]);
    }
    assert_eq!(rig.store.reads(), 1);
}

#[tokio::test(start_paused = true)]
async fn reading_ends_with_the_last_watcher() {
    let rig = Rig::new();
    let mut watchers = rig.watchers(3).await;
    watchers.shutdown().await;
    rig.store.reads();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((rig.store.reads(), rig.reads.watched()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_watcher_sees_what_was_there_before_it_came() {
    let rig = Rig::new();
    let mut first = rig.watch();
    assert_eq!(first.next().await.unwrap().unwrap().run.state, RunState::Queued);
    // By another replica: the board does not know.
    rig.store.enter(RunState::Running);
    assert_eq!(rig.watch().next().await.unwrap().unwrap().run.state, RunState::Running);
}
