//! The connections that a process may use, and who may hold how many of them.
//!
//! sqlx's pool keeps trying to open another connection for a minute, even while its
//! existing ones are idle. So waiters here also poll for idle ones, find out why no
//! more can be opened, and report it.
//!
//! Long holders of a connection (loads, exports, previews) leave one to short ones: a
//! lease is renewed while a load runs. No holder of a connection waits for a second
//! one.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection as _, Executor, PgPool, Postgres, pool::PoolConnection, postgres::PgPoolOptions,
};
use tokio::{sync::Semaphore, time::Instant};
use tracing::{info, warn};
use warehouse_core::{Error, Fault, Result};

use crate::{
    connect,
    fault::{failed, sqlstate},
    lease::Lease,
    location::Location,
    lookups::{Lookup, Lookups},
    schema::Access,
    statement_limits::StatementLimits,
};

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait for a connection that may be held for long: longer than an export
/// with a stalled reader lasts.
const LONG_PATIENCE: Duration = Duration::from_secs(600);

/// How often a waiter looks for a free connection.
const LOOK: Duration = Duration::from_millis(50);

/// How long an idle connection is taken to be alive: it answered when it was returned.
const SURELY_ALIVE: Duration = Duration::from_secs(1);

/// How often to ask why no new connection can be opened.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The most concurrent exports.
const EXPORTS: usize = 8;

/// The connections of a process.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: PgPool,
    location: Arc<Location>,
    statement_limits: Arc<StatementLimits>,
    limit: u32,
    patience: Duration,
    long: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    lookups: Lookups,
    refusal: Arc<Mutex<Refusal>>,
}

/// Why the last attempt to open a connection failed.
#[derive(Default)]
struct Refusal {
    asked: Option<Instant>,
    reason: Option<String>,
}

impl Connections {
    /// Connects as `location` says, within the role's limit.
    pub(crate) async fn open(location: Location, access: Access) -> Result<Self> {
        let (options, mut connection) = location.connect().await?;
        let allowed = connect::allowed_connections(&mut connection).await?;
        connect::close(connection).await;
        let limit = allowed.map_or(location.connections, |allowed| allowed.min(location.connections).max(1));
        if limit < location.connections {
            info!(
                limit,
                wanted = location.connections,
                "the role or the database allows fewer connections: using these"
            );
        }
        let location = Arc::new(location);
        let statement_limits = Arc::new(StatementLimits::beside(&location.settings));
        let pool = pool(limit, Arc::clone(&location), Arc::clone(&statement_limits), access);
        let pool = pool.connect_lazy_with(options);
        let lookups = Lookups::new(limit, &location.settings);
        let long = usize::try_from(limit.saturating_sub(1).max(1)).unwrap_or(1);
        let connections = Self {
            pool,
            location,
            statement_limits,
            limit,
            patience: PATIENCE,
            long: Arc::new(Semaphore::new(long)),
            exports: Arc::new(Semaphore::new(long.div_ceil(2).min(EXPORTS))),
            lookups,
            refusal: Arc::default(),
        };
        connections.short().await?.release();
        Ok(connections)
    }

    /// The most connections allowed.
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// How long statements may take.
    pub(crate) fn statement_limits(&self) -> &StatementLimits {
        &self.statement_limits
    }

    /// The number of open connections, and of idle ones among them.
    pub(crate) fn open_and_idle(&self) -> (u32, u32) {
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        (self.pool.size(), idle.saturating_add(self.lookups.idle()))
    }

    /// A connection for short use.
    pub(crate) async fn short(&self) -> Result<Lease> {
        Ok(Lease::new(self.connection().await?, Vec::new()))
    }

    #[cfg(test)]
    pub(crate) const fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    /// A connection for one look-up by key.
    pub(crate) async fn lookup(&self) -> Result<Lookup> {
        let Some(place) = self.lookups.place(self.patience).await else {
            return Err(self.unavailable(sqlx::Error::PoolTimedOut));
        };
        match self.lookups.resume(place) {
            Ok(lookup) => Ok(lookup),
            // Boxed: opening a connection takes kilobytes, which a look-up would move around.
            Err(place) => Box::pin(async { self.lookups.borrow(place, self.short().await?).await }).await,
        }
    }

    async fn connection(&self) -> Result<PoolConnection<Postgres>> {
        let deadline = Instant::now() + self.patience;
        loop {
            let problem = match self.acquire(deadline).await {
                Ok(connection) => return Ok(connection),
                Err(problem) => problem,
            };
            // The server may have changed: another one is the primary, or TLS was switched off.
            if !self.can_move() || Instant::now() >= deadline || !self.find_server().await {
                return Err(self.unavailable(problem));
            }
        }
    }

    /// A connection for a load.
    pub(crate) async fn long(&self) -> Result<Lease> {
        self.lease(&[&self.long]).await
    }

    /// A connection for an export or a preview.
    pub(crate) async fn export(&self) -> Result<Lease> {
        self.lease(&[&self.exports, &self.long]).await
    }

    async fn lease(&self, shares: &[&Arc<Semaphore>]) -> Result<Lease> {
        let waiting = async {
            let mut held = Vec::with_capacity(shares.len());
            for share in shares {
                held.extend(Arc::clone(share).acquire_owned().await);
            }
            held
        };
        let Ok(shares) = tokio::time::timeout(LONG_PATIENCE, waiting).await else {
            let reported = format!(
                "all connections for loads and exports were in use for {LONG_PATIENCE:?}: raise max_connections in \
                 the warehouse URL, now {}, or export less at a time",
                self.limit
            );
            return Err(Error::Unavailable(Fault::plain(reported)));
        };
        Ok(Lease::new(self.connection().await?, shares))
    }

    /// A connection that is idle, new, or freed before `deadline`.
    async fn acquire(&self, deadline: Instant) -> sqlx::Result<PoolConnection<Postgres>> {
        let mut making_room = self.is_exhausted().then(|| self.lookups.make_room());
        let mut asking = std::pin::pin!(self.pool.acquire());
        let mut look = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
        loop {
            tokio::select! {
                biased;
                acquired = &mut asking => return acquired,
                _ = look.tick() => {}
            }
            making_room.get_or_insert_with(|| self.lookups.make_room());
            // While opening a new connection, the pool does not notice that another was
            // freed.
            if let Some(mut idle) = self.pool.try_acquire() {
                if idle.ping().await.is_ok() {
                    return Ok(idle);
                }
                idle.close_on_drop();
            }
            if Instant::now() >= deadline {
                return Err(sqlx::Error::PoolTimedOut);
            }
            if self.may_open_more() {
                self.ask_for_the_reason().await;
            }
        }
    }

    /// Whether all connections that there may be are in use.
    fn is_exhausted(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= self.limit
    }

    /// Whether we are waiting for a new connection.
    fn may_open_more(&self) -> bool {
        let (open, idle) = self.open_and_idle();
        idle == 0 && open > 0 && {
            let mut refusal = self.refusal();
            let is_due = refusal.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN);
            if is_due {
                refusal.asked = Some(Instant::now());
            }
            is_due
        }
    }

    /// Asks the server itself why it refuses connections: the pool does not say.
    async fn ask_for_the_reason(&self) {
        let options = self.pool.connect_options();
        let asked = tokio::time::timeout(ASK_AGAIN, sqlx::ConnectOptions::connect(&*options)).await;
        let problem = match asked {
            Ok(Ok(connection)) => {
                connect::close(connection).await;
                self.refusal().reason = None;
                return;
            }
            Ok(Err(problem)) => problem,
            Err(_elapsed) => return,
        };
        let is_full = sqlstate(&problem).as_deref() == Some("53300");
        let reason = if is_full {
            format!(
                "too many connections: the server allows this process no more than it has; raise the limit of the \
                 role or of the server, or lower max_connections in the URLs of all services, now {} here",
                self.limit
            )
        } else {
            match failed(problem) {
                Error::Unavailable(fault) | Error::Internal(fault) => fault.reported().to_owned(),
                other => other.to_string(),
            }
        };
        if is_full {
            warn_of_refusal(&reason);
        }
        self.refusal().reason = Some(reason);
        if !is_full && self.can_move() {
            self.find_server().await;
        }
    }

    /// Whether there is more than one server, or way to it.
    fn can_move(&self) -> bool {
        self.location.servers.iter().map(|server| server.ways.len()).sum::<usize>() > 1
    }

    /// Finds the server for new connections.
    async fn find_server(&self) -> bool {
        match self.location.connect().await {
            Ok((options, connection)) => {
                connect::close(connection).await;
                self.pool.set_connect_options(options);
                true
            }
            Err(_) => false,
        }
    }

    /// Why there was no connection.
    fn unavailable(&self, problem: sqlx::Error) -> Error {
        if !matches!(problem, sqlx::Error::PoolTimedOut) {
            return failed(problem);
        }
        let reason = self.refusal().reason.clone().unwrap_or_else(|| {
            format!("all {} are in use; raise max_connections in the warehouse URL", self.limit)
        });
        let reported = format!("no connection became free within {:?}: {reason}", self.patience);
        Error::Unavailable(Fault::new(reported, problem))
    }

    fn refusal(&self) -> std::sync::MutexGuard<'_, Refusal> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logged once per process: the condition lasts, and every call would log it.
fn warn_of_refusal(reason: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        warn!("{reason}; going on with the connections there are");
    }
}

fn pool(
    connections: u32,
    location: Arc<Location>,
    limits: Arc<StatementLimits>,
    access: Access,
) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        // Instead of always, which would be another round trip for every query.
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            Box::pin(async move { Ok(metadata.idle_for < SURELY_ALIVE || connection.ping().await.is_ok()) })
        })
        .after_connect(move |connection, _| {
            let (location, limits) = (Arc::clone(&location), Arc::clone(&limits));
            Box::pin(async move {
                location.prepare(connection).await?;
                connection.execute(AssertSqlSafe(limits.set.clone())).await?;
                if access == Access::Read {
                    // Not part of `prepare`: a URL may ask for a server that takes writes.
                    connection.execute("SET default_transaction_read_only = on").await?;
                }
                Ok(())
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location;

    #[tokio::test]
    async fn whoever_gets_no_connection_learns_why() {
        let cluster = test_postgres::Cluster::start("-c fsync=off -c max_connections=10").unwrap();
        let location = location::parse(&format!("{}&max_connections=50", cluster.url())).unwrap();
        let mut connections = Connections::open(location, Access::Write).await.unwrap();
        let mut held = Vec::new();
        let taken = loop {
            // Longer than until the reason is asked for again: a slow connection before may have
            // caused a question, too.
            let patience = if held.len() < 10 { 10 } else { 7 };
            connections.patience = Duration::from_secs(patience);
            match connections.short().await {
                Ok(connection) => held.push(connection),
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(held.len(), 10);
        assert!(taken.contains("no connection became free within 7s: too many connections"), "{taken}");
        assert!(taken.contains("max_connections in the URLs of all services, now 50 here"), "{taken}");
        // The others continue with what there is.
        held.pop();
        connections.short().await.unwrap();
    }

    async fn shown(lease: &mut Lease, setting: &'static str) -> String {
        let setting = format!("SHOW {setting}");
        sqlx::query_scalar(AssertSqlSafe(setting)).fetch_one(&mut **lease).await.unwrap()
    }

    #[tokio::test]
    async fn plans_are_made_for_the_values_at_hand_and_statements_have_limits() {
        let database = test_postgres::Database::create().await.unwrap();
        let connections =
            Connections::open(location::parse(&database.url()).unwrap(), Access::Write).await.unwrap();
        let mut lease = connections.short().await.unwrap();
        for (setting, value) in [
            ("plan_cache_mode", "force_custom_plan"),
            ("statement_timeout", "1min"),
            ("lock_timeout", "30s"),
            ("client_connection_check_interval", "500ms"),
        ] {
            assert_eq!(shown(&mut lease, setting).await, value, "{setting}");
        }
        let lifted = format!("BEGIN; {}", connections.statement_limits().lift_in_transaction);
        lease.execute(AssertSqlSafe(lifted)).await.unwrap();
        for setting in ["statement_timeout", "lock_timeout"] {
            assert_eq!(shown(&mut lease, setting).await, "0", "{setting}");
        }
    }
}
