//! Connections for look-ups of single rows by key, which take less time than what is done
//! around other statements.
//!
//! Each statement is planned for its values ([`connect`](crate::connect)), which takes twice
//! as long as to look a row up; and the pool asks each connection that returns whether it
//! still answers, which is a round trip as long as the look-up's own. A look-up's plan is
//! the same whatever the key. So a few connections of the pool are borrowed for look-ups:
//! they keep their plans, and stay here between two look-ups. None stays for long: what is
//! borrowed returns to the pool after a second, and as soon as others wait for a connection
//! and no look-up does.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use sqlx::{Executor, PgConnection};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};

use crate::{fault::Failure, lease::Lease};

/// How long a connection is borrowed. The pool then looks at its age, and closes it if it
/// is not needed.
const BORROWED: Duration = Duration::from_secs(1);

/// How look-ups run. A plan may be made while a table is still empty, and is kept when it no
/// longer is: so it uses indexes, whatever the size.
const BEGIN: &str = "SET plan_cache_mode = 'force_generic_plan'; SET enable_seqscan = off";

/// Undoes it, and whatever an abandoned look-up has left.
const END: &str = "ROLLBACK; SET plan_cache_mode = 'force_custom_plan'; SET enable_seqscan TO DEFAULT";

/// The connections that are borrowed for look-ups. Clones share them.
#[derive(Clone)]
pub(crate) struct Lookups(Arc<Shared>);

struct Shared {
    /// How many look-ups may run at a time. The rest of the pool is for other statements.
    places: Arc<Semaphore>,
    /// Whether look-ups may plan as they like: the warehouse URL does not say how to plan.
    keeps_plans: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Borrowed>,
    /// Look-ups that wait for a place.
    queued: usize,
    /// Others who wait for a connection of the pool.
    others: usize,
    is_swept: bool,
}

struct Borrowed {
    lease: Lease,
    since: Instant,
}

impl Lookups {
    /// Look-ups on up to half of the `limit` connections.
    pub(crate) fn new(limit: u32, settings: &[(String, String)]) -> Self {
        let places = usize::try_from(limit.div_ceil(2)).unwrap_or(1);
        let keeps_plans = !settings.iter().any(|(name, _)| {
            ["plan_cache_mode", "enable_seqscan"].iter().any(|ours| name.eq_ignore_ascii_case(ours))
        });
        Self(Arc::new(Shared {
            places: Arc::new(Semaphore::new(places)),
            keeps_plans,
            state: Mutex::default(),
        }))
    }

    /// A connection that is here already; the place back if there is none.
    pub(crate) fn resume(&self, place: Place) -> Result<Lookup, Place> {
        match self.0.take() {
            Some(borrowed) => Ok(Lookup { borrowed, lookups: self.clone(), _place: place }),
            None => Err(place),
        }
    }

    /// Has look-ups run on a connection of the pool.
    pub(crate) async fn borrow(&self, place: Place, mut lease: Lease) -> warehouse_core::Result<Lookup> {
        let since = Instant::now();
        if self.0.keeps_plans {
            lease.end_with(END);
            lease.execute(BEGIN).await.map_err(Failure::from)?;
        }
        Ok(Lookup { borrowed: Borrowed { lease, since }, lookups: self.clone(), _place: place })
    }

    /// A place for a look-up; `None` if none became free in time.
    pub(crate) async fn place(&self, patience: Duration) -> Option<Place> {
        let places = &self.0.places;
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Some(Place(place));
        }
        let _queued = Counted::new(&self.0, |state| &mut state.queued);
        let freed = timeout(patience, Arc::clone(places).acquire_owned()).await;
        freed.ok()?.ok().map(Place)
    }

    /// Somebody else waits for a connection of the pool, for as long as this is held: those
    /// that are here return to it.
    pub(crate) fn make_room(&self) -> Counted {
        let waiting = Counted::new(&self.0, |state| &mut state.others);
        let idle = std::mem::take(&mut self.0.state().idle);
        drop(idle);
        waiting
    }

    /// How many connections are here, and idle.
    pub(crate) fn idle(&self) -> u32 {
        u32::try_from(self.0.state().idle.len()).unwrap_or(u32::MAX)
    }
}

impl Shared {
    fn take(&self) -> Option<Borrowed> {
        let mut state = self.state();
        let newest = state.idle.pop()?;
        if newest.is_due() {
            // All of them are.
            let idle = std::mem::take(&mut state.idle);
            drop(state);
            drop((newest, idle));
            return None;
        }
        Some(newest)
    }

    fn give_back(self: &Arc<Self>, borrowed: Borrowed) {
        let mut state = self.state();
        if borrowed.is_due() || (state.others > 0 && state.queued == 0) {
            drop(state);
            return drop(borrowed);
        }
        state.idle.push(borrowed);
        if !std::mem::replace(&mut state.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if Handle::try_current().is_err() {
            // Without a runtime the process is about to end, and its connections with it.
            let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut state.idle).into_iter().for_each(std::mem::forget);
        }
    }
}

/// Returns what has been here for too long, until nothing is here.
async fn sweep(lookups: Weak<Shared>) {
    loop {
        sleep(BORROWED).await;
        let Some(lookups) = lookups.upgrade() else { return };
        let mut state = lookups.state();
        let due: Vec<Borrowed> = state.idle.extract_if(.., |borrowed| borrowed.is_due()).collect();
        if state.idle.is_empty() {
            state.is_swept = false;
            return;
        }
        drop(state);
        drop(due);
    }
}

impl Borrowed {
    fn is_due(&self) -> bool {
        self.since.elapsed() >= BORROWED
    }
}

/// One more of something, for as long as it is held.
pub(crate) struct Counted {
    lookups: Arc<Shared>,
    of: fn(&mut State) -> &mut usize,
}

impl Counted {
    fn new(lookups: &Arc<Shared>, of: fn(&mut State) -> &mut usize) -> Self {
        *of(&mut lookups.state()) += 1;
        Self { lookups: Arc::clone(lookups), of }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *(self.of)(&mut self.lookups.state()) -= 1;
    }
}

/// A look-up's place among those that run.
pub(crate) struct Place(#[expect(dead_code, reason = "it is there to be dropped")] OwnedSemaphorePermit);

/// A connection that looks something up. Dropping it abandons the look-up.
pub(crate) struct Lookup {
    borrowed: Borrowed,
    lookups: Lookups,
    _place: Place,
}

impl Lookup {
    /// Keeps the connection for the next look-up: this one has been answered.
    pub(crate) fn release(self) {
        let Self { borrowed, lookups, _place } = self;
        lookups.0.give_back(borrowed);
    }
}

impl Deref for Lookup {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.borrowed.lease
    }
}

impl DerefMut for Lookup {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.borrowed.lease
    }
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;
    use test_postgres::Database;

    use super::*;
    use crate::{connections::Connections, location, schema::Access};

    /// A deadline for what must not hang.
    const IN_TIME: Duration = Duration::from_secs(20);

    async fn connections(database: &Database, parameters: &str) -> Connections {
        let location = location::parse(&format!("{}&{parameters}", database.url())).unwrap();
        Connections::open(location, Access::Write).await.unwrap()
    }

    async fn asked(connection: &mut PgConnection, question: &str) -> String {
        sqlx::query_scalar(AssertSqlSafe(question.to_owned())).fetch_one(connection).await.unwrap()
    }

    const BACKEND: &str = "SELECT pg_backend_pid()::TEXT";

    const SETTINGS: &str =
        "SELECT current_setting('plan_cache_mode') || ' ' || current_setting('enable_seqscan')";

    #[tokio::test]
    async fn look_ups_keep_a_connection_and_others_get_it_as_it_was() {
        let database = Database::create().await.unwrap();
        let connections = connections(&database, "max_connections=1").await;
        let mut backends = Vec::new();
        for _ in 0..3 {
            let mut lookup = connections.lookup().await.unwrap();
            assert_eq!(asked(&mut lookup, SETTINGS).await, "force_generic_plan off");
            backends.push(asked(&mut lookup, BACKEND).await);
            lookup.release();
            assert_eq!(connections.open_and_idle(), (1, 1));
        }
        let mut other = timeout(IN_TIME, connections.short()).await.unwrap().unwrap();
        assert_eq!(asked(&mut other, SETTINGS).await, "force_custom_plan on");
        backends.push(asked(&mut other, BACKEND).await);
        other.release();
        backends.dedup();
        assert_eq!(backends.len(), 1, "{backends:?}");
    }

    #[tokio::test]
    async fn an_abandoned_look_up_leaves_nothing_behind() {
        let database = Database::create().await.unwrap();
        let connections = connections(&database, "max_connections=1").await;
        let mut lookup = connections.lookup().await.unwrap();
        lookup.execute("BEGIN; SELECT 1").await.unwrap();
        let backend = asked(&mut lookup, BACKEND).await;
        drop(lookup);
        let mut other = connections.short().await.unwrap();
        assert_eq!(asked(&mut other, BACKEND).await, backend);
        assert_eq!(asked(&mut other, SETTINGS).await, "force_custom_plan on");
        other.execute("COMMIT").await.unwrap();
        other.release();
        // One whose statement runs on takes its connection with it.
        let mut lookup = connections.lookup().await.unwrap();
        timeout(Duration::from_millis(50), lookup.execute("SELECT pg_sleep(3600)")).await.unwrap_err();
        drop(lookup);
        let mut lookup = timeout(IN_TIME, connections.lookup()).await.unwrap().unwrap();
        assert_ne!(asked(&mut lookup, BACKEND).await, backend);
    }

    #[tokio::test]
    async fn what_is_not_needed_returns_to_the_pool() {
        let database = Database::create().await.unwrap();
        let connections = connections(&database, "max_connections=2").await;
        connections.lookup().await.unwrap().release();
        assert_eq!(connections.lookups().idle(), 1);
        let returned = async {
            while connections.lookups().idle() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(IN_TIME, returned).await.unwrap();
    }

    #[tokio::test]
    async fn others_get_connections_however_many_look_ups_there_are() {
        let database = Database::create().await.unwrap();
        for limit in [1, 2, 5] {
            let connections = connections(&database, &format!("max_connections={limit}")).await;
            let look_ups = (0..8).map(|_| {
                let connections = connections.clone();
                async move {
                    loop {
                        let mut lookup = connections.lookup().await.unwrap();
                        asked(&mut lookup, BACKEND).await;
                        lookup.release();
                    }
                }
            });
            let others = async {
                for _ in 0..3 {
                    let mut other = connections.short().await.unwrap();
                    assert_eq!(asked(&mut other, SETTINGS).await, "force_custom_plan on");
                    other.release();
                }
            };
            tokio::select! {
                () = others => {}
                _ = futures::future::join_all(look_ups) => {}
                () = sleep(IN_TIME) => panic!("nobody else had a turn"),
            }
        }
    }

    #[tokio::test]
    async fn how_to_plan_may_be_said_in_the_url() {
        let database = Database::create().await.unwrap();
        let connections = connections(&database, "options=-c%20plan_cache_mode=auto").await;
        let mut lookup = connections.lookup().await.unwrap();
        assert_eq!(asked(&mut lookup, SETTINGS).await, "auto on");
    }
}
