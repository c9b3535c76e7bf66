//! The connections of a port: how many are open, which of them work, and which make room
//! when there are too many.

mod listener;
mod serving;
mod tracked;

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge},
};
use telemetry::metrics::{SERVER_CONNECTIONS, SERVER_LIMITED};
use tls::LogLimit;
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

pub(crate) use listener::LimitedListener;
pub(crate) use serving::{FromPeer, serve_each};
pub(crate) use tracked::Tracked;

/// How often one of these events is worth a warning. Anybody can cause them.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// How long a connection is left alone, however full it is: whoever has just connected is
/// about to say something, and whoever has just been answered may ask again.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a connection that has been asked to end may take once none of its calls is
/// open. Then it is cut off: its peer does not answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// One in so many connections makes room at a time.
const SHARE_TO_END: usize = 16;

/// How connections of a port are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// How many may be open.
    pub(crate) open: usize,
    /// How long one may take to say what protocol it speaks.
    pub(crate) silence: Duration,
    /// How long one may be open without a call.
    pub(crate) idle: Duration,
    /// What keeps a connection from being idle.
    pub(crate) busy: Busy,
}

/// What keeps a connection from being idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Busy {
    /// Calls that are open.
    Calls,
    /// Bytes that arrive.
    Bytes,
}

/// The connections of a port. Clones share them.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    port: &'static str,
    limits: ConnectionLimits,
    table: Mutex<Table>,
    /// Notified whenever a connection has ended.
    ended: Notify,
    open: Gauge<f64>,
    limited: Counter<u64>,
    log: LogLimit,
}

#[derive(Default)]
struct Table {
    last: u64,
    open: HashMap<u64, Arc<State>>,
}

struct State {
    peer: Option<IpAddr>,
    usage: Mutex<Usage>,
    /// Cancelled when the peer has said what protocol it speaks.
    spoke: CancellationToken,
    /// Cancelled to end the connection without losing a call.
    closing: CancellationToken,
    /// Cancelled to cut it off.
    cut: CancellationToken,
    /// Cancelled when it has ended.
    gone: CancellationToken,
}

struct Usage {
    calls: usize,
    /// Since when there has been no call.
    since: Instant,
    had_calls: bool,
}

/// Whether there is a place for a new connection.
enum Room {
    Free,
    /// These have been idle the longest, the first of them for this long.
    HeldBy(Vec<Arc<State>>, Duration),
    /// A connection is about to end.
    Soon,
    /// Every connection works.
    None,
}

impl Connections {
    /// The connections of a port, as metrics call it.
    pub(crate) fn new(port: &'static str, limits: ConnectionLimits) -> Self {
        let connections = Self(Arc::new(Shared {
            port,
            limits,
            table: Mutex::default(),
            ended: Notify::new(),
            open: SERVER_CONNECTIONS.gauge(),
            limited: SERVER_LIMITED.counter(),
            log: LogLimit::new(WARN_EVERY),
        }));
        for limit in ["full", "made_room", "idle", "silent"] {
            connections.add(limit, 0);
        }
        connections
    }

    /// Gives a new connection a place. When all are taken, the connection that has been idle
    /// the longest makes room. `None` if none is idle: then the new one must go.
    async fn admit(&self, peer: Option<IpAddr>) -> Option<Place> {
        loop {
            // Before looking, so that no end is missed.
            let ended = self.0.ended.notified();
            match self.room() {
                Room::Free => return Some(self.enter(peer)),
                Room::HeldBy(idlest, idle) if idle >= PATIENCE => {
                    for state in idlest {
                        self.count("made_room");
                        debug!(peer = ?state.peer, "an idle connection makes room");
                        state.make_room();
                    }
                }
                Room::HeldBy(_, idle) => {
                    // Waits without accepting: whoever comes meanwhile waits in the backlog.
                    let _ = timeout(PATIENCE.saturating_sub(idle), ended).await;
                }
                Room::Soon => {
                    let _ = timeout(FAREWELL, ended).await;
                }
                Room::None => {
                    self.count("full");
                    if let Some(left_out) = self.0.log.admit() {
                        let (port, limit) = (self.0.port, self.0.limits.open);
                        warn!(
                            port,
                            limit, left_out, "a connection is refused: too many are open, and all work"
                        );
                    }
                    return None;
                }
            }
        }
    }

    fn enter(&self, peer: Option<IpAddr>) -> Place {
        let state = Arc::new(State {
            peer,
            usage: Mutex::new(Usage { calls: 0, since: Instant::now(), had_calls: false }),
            spoke: CancellationToken::new(),
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
            gone: CancellationToken::new(),
        });
        let mut table = self.table();
        table.last += 1;
        let id = table.last;
        table.open.insert(id, state.clone());
        self.report(&table);
        Place { id, state, connections: self.clone() }
    }

    fn room(&self) -> Room {
        let table = self.table();
        let limit = self.0.limits.open.max(1);
        if table.open.len() < limit {
            return Room::Free;
        }
        let (mut idle, mut is_one_ending) = (Vec::new(), false);
        for state in table.open.values() {
            match state.idle() {
                Some(_) if state.is_ending() => is_one_ending = true,
                Some(time) => idle.push((time, state)),
                None => {}
            }
        }
        if is_one_ending {
            return Room::Soon;
        }
        idle.sort_unstable_by_key(|(time, _)| Reverse(*time));
        let Some((longest, _)) = idle.first() else { return Room::None };
        let longest = *longest;
        // Several at once: each may take its time to end, and more connections are coming.
        let several =
            idle.into_iter().take(limit.div_ceil(SHARE_TO_END)).filter(|(time, _)| *time >= PATIENCE);
        Room::HeldBy(several.map(|(_, state)| state.clone()).collect(), longest)
    }

    /// Ends the connection of `state` when it says nothing, when it has been idle for too
    /// long, and when it has been asked to. Never returns before the connection has ended.
    async fn supervise(&self, state: &State) {
        let ConnectionLimits { silence, idle, .. } = self.0.limits;
        let deciding = async {
            if timeout(silence, state.spoke.cancelled()).await.is_err() {
                self.count("silent");
                state.cut.cancel();
                return;
            }
            loop {
                match state.idle() {
                    Some(time) if time >= idle => break,
                    Some(time) => sleep(idle.saturating_sub(time)).await,
                    None => sleep(idle / 4).await,
                }
            }
            self.count("idle");
            state.closing.cancel();
        };
        tokio::select! {
            () = deciding => {}
            () = state.closing.cancelled() => {}
        }
        // A call that began just before keeps its connection.
        loop {
            sleep(FAREWELL).await;
            if state.idle().is_some_and(|time| time >= FAREWELL) {
                state.cut.cancel();
                return state.gone.cancelled().await;
            }
        }
    }

    /// Counts one more that a limit has refused or ended.
    fn count(&self, limit: &'static str) {
        self.add(limit, 1);
    }

    /// Adds to what a limit has refused or ended: none at first, so that the first is an increase.
    pub(crate) fn add(&self, limit: &'static str, times: u64) {
        self.0.limited.add(times, &[KeyValue::new("port", self.0.port), KeyValue::new("limit", limit)]);
    }

    fn report(&self, table: &Table) {
        let open = u32::try_from(table.open.len()).map_or(f64::INFINITY, f64::from);
        self.0.open.record(open, &[KeyValue::new("port", self.0.port)]);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl State {
    /// How long there has been no call; `None` while one is open.
    fn idle(&self) -> Option<Duration> {
        let usage = self.usage();
        (usage.calls == 0).then(|| usage.since.elapsed())
    }

    fn is_ending(&self) -> bool {
        self.closing.is_cancelled() || self.cut.is_cancelled()
    }

    /// Ends a connection for another one. One that has never had a call is cut off: waiting
    /// for its answer would be what whoever opens thousands of them wants.
    fn make_room(&self) {
        if self.usage().had_calls {
            self.closing.cancel();
        } else {
            self.cut.cancel();
        }
    }

    fn touch(&self) {
        self.usage().since = Instant::now();
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, which it gives back when it ends.
struct Place {
    id: u64,
    state: Arc<State>,
    connections: Connections,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.connections.table();
        table.open.remove(&self.id);
        self.connections.report(&table);
        drop(table);
        self.state.gone.cancel();
        self.connections.0.ended.notify_waiters();
    }
}

/// The connection of a call, in the extensions of its request.
#[derive(Clone)]
pub(crate) struct Connection(Arc<State>);

impl Connection {
    /// The address at the other end.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }

    /// Keeps the connection from being idle for as long as the call is open.
    pub(crate) fn begin_call(&self) -> ConnectionCall {
        let mut usage = self.0.usage();
        usage.calls += 1;
        usage.had_calls = true;
        drop(usage);
        ConnectionCall(self.0.clone())
    }
}

/// A call that is open.
pub(crate) struct ConnectionCall(Arc<State>);

impl Drop for ConnectionCall {
    fn drop(&mut self) {
        let mut usage = self.0.usage();
        usage.calls -= 1;
        usage.since = Instant::now();
    }
}
