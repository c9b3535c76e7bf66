//! What many who look cost.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::BodyDataStream;
use bytes::Bytes;
use chrono::DateTime;
use futures::{FutureExt, StreamExt};
use maud::html;
use prost_types::Timestamp;
use proto::pipeline::v1::{Run, RunState, WatchRunRequest};
use runtime::StoppedClock;
use tokio_util::sync::CancellationToken;

use super::{Hub, Viewer, stream};
use crate::{
    backend::{Credential, Services},
    scripted::Pipeline,
};

fn run(state: RunState) -> Run {
    let start_time = Some(Timestamp { seconds: 0, nanos: 0 });
    Run { run_id: "r1".into(), state: state.into(), start_time, ..Run::default() }
}

/// A hub over scripted services that counts what it draws.
struct Scene {
    pipeline: Pipeline,
    services: Services,
    hub: Hub,
    drawn: Arc<AtomicUsize>,
    may_look: Arc<AtomicBool>,
    shutdown: CancellationToken,
}

impl Scene {
    fn new(run: Run) -> Self {
        let pipeline = Pipeline::of(run);
        let services = Services::new(&pipeline.serve(), &Credential::none());
        let drawn = Arc::new(AtomicUsize::new(0));
        let counted = drawn.clone();
        let shutdown = CancellationToken::new();
        let clock = Arc::new(StoppedClock(DateTime::UNIX_EPOCH));
        let hub = Hub::new(clock, shutdown.clone(), move |run, _| {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            html! { (number) " " (run.requested_by) }
        });
        let may_look = Arc::new(AtomicBool::new(true));
        Self { pipeline, services, hub, drawn, may_look, shutdown }
    }

    /// How many watches there were.
    fn watches(&self) -> usize {
        self.pipeline.asked::<WatchRunRequest>("WatchRun").len()
    }

    fn viewer(&self) -> BodyDataStream {
        let states = self.hub.join("r1", &self.services);
        let may_look = self.may_look.clone();
        let may_look = Box::new(move || {
            let may_look = may_look.load(Ordering::SeqCst);
            std::future::ready(may_look).boxed()
        });
        stream(Viewer { states, may_look, shutdown: self.shutdown.clone() }).into_body().into_data_stream()
    }

    /// Changes the run, and gives the hub time to draw it.
    async fn change(&self, by: &str) {
        self.pipeline.run.send_modify(|run| run.requested_by = by.to_owned());
        tokio::time::advance(Duration::from_millis(1)).await;
    }
}

/// The next state, past what keeps the connection alive.
async fn next_state(viewer: &mut BodyDataStream) -> Option<Bytes> {
    loop {
        let bytes = viewer.next().await?.unwrap();
        if bytes.starts_with(b"event: state") {
            return Some(bytes);
        }
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it did not come to pass");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_viewers_cost_one_watch_and_one_drawing_per_state() {
    let scene = Scene::new(run(RunState::Running));
    let mut viewers: Vec<BodyDataStream> = (0..200).map(|_| scene.viewer()).collect();
    for round in 0..20 {
        scene.change(&format!("round {round}")).await;
        let mut copies = HashSet::new();
        for viewer in &mut viewers {
            let state = next_state(viewer).await.unwrap();
            copies.insert((state.as_ptr(), state.len()));
        }
        // Those who come first may see the state before; nobody has a copy of their own.
        assert!(copies.len() <= 2, "{} copies in round {round}", copies.len());
    }
    assert_eq!(scene.watches(), 1);
    let drawn = scene.drawn.load(Ordering::SeqCst);
    assert!(drawn <= 45, "{drawn} drawings for 20 rounds of 200 viewers");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slow_gets_the_newest_state_alone() {
    let scene = Scene::new(run(RunState::Running));
    let (mut slow, mut quick) = (scene.viewer(), scene.viewer());
    for number in 0..50 {
        scene.change(&format!("change {number}")).await;
        next_state(&mut quick).await.unwrap();
    }
    scene
        .pipeline
        .run
        .send_modify(|run| *run = Run { requested_by: "the end".into(), ..self::run(RunState::Failed) });
    while next_state(&mut quick).await.is_some() {}
    let state = next_state(&mut slow).await.unwrap();
    let text = std::str::from_utf8(&state).unwrap();
    assert!(text.contains("the end") && text.contains("event: ended"), "{text}");
    assert!(slow.next().await.is_none(), "nothing follows the end");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_changes_all_the_time_is_drawn_once_a_second() {
    let scene = Scene::new(run(RunState::Running));
    let mut viewer = scene.viewer();
    next_state(&mut viewer).await.unwrap();
    let before = scene.drawn.load(Ordering::SeqCst);
    for number in 0..1_000 {
        scene.pipeline.run.send_modify(|run| run.requested_by = number.to_string());
        tokio::time::advance(Duration::from_millis(10)).await;
        tokio::task::yield_now().await;
    }
    let drawn = scene.drawn.load(Ordering::SeqCst) - before;
    assert!((1..=11).contains(&drawn), "{drawn} drawings in ten seconds");
}

#[tokio::test(start_paused = true)]
async fn a_queued_run_is_drawn_when_it_changes_and_not_before() {
    let scene = Scene::new(Run { start_time: None, ..run(RunState::Queued) });
    let mut viewer = scene.viewer();
    next_state(&mut viewer).await.unwrap();
    for _ in 0..20 {
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.drawn.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_the_last_viewer_and_begins_again_with_the_next() {
    let scene = Scene::new(run(RunState::Running));
    let (mut first, second) = (scene.viewer(), scene.viewer());
    next_state(&mut first).await.unwrap();
    let open = || scene.pipeline.open_watches();
    drop(first);
    scene.change("still").await;
    assert_eq!(open(), 1);
    drop(second);
    until(|| open() == 0).await;
    let mut third = scene.viewer();
    next_state(&mut third).await.unwrap();
    assert_eq!((open(), scene.watches()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_lost_watch_and_a_shutdown_end_every_stream() {
    let scene = Scene::new(run(RunState::Running));
    let mut viewer = scene.viewer();
    next_state(&mut viewer).await.unwrap();
    scene.pipeline.break_watches();
    assert!(next_state(&mut viewer).await.is_none());
    let mut viewer = scene.viewer();
    next_state(&mut viewer).await.unwrap();
    scene.shutdown.cancel();
    assert!(next_state(&mut viewer).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_may_no_longer_look_is_shown_no_more() {
    let scene = Scene::new(run(RunState::Running));
    let mut viewer = scene.viewer();
    next_state(&mut viewer).await.unwrap();
    // The watch, which others share, goes on.
    scene.may_look.store(false, Ordering::SeqCst);
    let mut states = 0;
    while next_state(&mut viewer).await.is_some() {
        states += 1;
    }
    assert!((1..=62).contains(&states), "{states} states after the end of a minute");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_for_those_who_may_read_the_run() {
    let site = Pipeline::of(run(RunState::Running)).site(0);
    assert_eq!(site.open("/runs/r2/live").await.status(), 404);
    assert_eq!(site.asked::<WatchRunRequest>("WatchRun"), []);
    let answer = site.open("/runs/r1/live").await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body().into_data_stream();
    let state = next_state(&mut body).await.unwrap();
    assert!(std::str::from_utf8(&state).unwrap().contains("run-state"));
}
