//! A configuration that follows its files.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use rustls::time_provider::TimeProvider;
use tokio::{task, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    expiry::{ExpiryWatch, Validity},
    files::{Fingerprint, Reader},
    load_error::LoadError,
};

/// What a look at the files led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// The files are as they were at the look before.
    Unchanged,
    /// They have changed. New handshakes use them; open connections stay as they are.
    Replaced,
    /// They have changed and cannot be used. What was loaded before stays in use.
    Kept(LoadError),
}

/// Where a configuration comes from.
pub(crate) trait Source: Send + Sync + 'static {
    type Contents;
    type Config: Send + Sync;

    /// Whose files these are, for the log: `server` or `client`.
    const WHOSE: &'static str;

    fn read(&self, reader: &mut Reader) -> Result<Self::Contents, LoadError>;
    fn build(
        &self,
        contents: &Self::Contents,
        clock: &Arc<dyn TimeProvider>,
    ) -> Result<Loaded<Self::Config>, LoadError>;
}

/// A configuration that is in use.
pub(crate) struct Loaded<C> {
    pub config: Arc<C>,
    /// While its own certificate is valid; `None` if it shows none.
    pub validity: Option<Validity>,
}

/// What the files of `source` held when they last could be used.
pub(crate) struct Live<S: Source> {
    source: S,
    clock: Arc<dyn TimeProvider>,
    current: RwLock<Loaded<S::Config>>,
    last_look: Mutex<LastLook>,
}

struct LastLook {
    seen: Seen,
    expiry: ExpiryWatch,
}

#[derive(PartialEq, Eq)]
enum Seen {
    Contents(Fingerprint),
    Unreadable(LoadError),
}

impl<S: Source> Live<S> {
    pub(crate) fn load(source: S, clock: Arc<dyn TimeProvider>) -> Result<Arc<Self>, LoadError> {
        let mut reader = Reader::default();
        let contents = source.read(&mut reader)?;
        let current = source.build(&contents, &clock)?;
        let mut expiry = ExpiryWatch::default();
        expiry.look(current.validity, &*clock, S::WHOSE);
        let last_look = LastLook { seen: Seen::Contents(reader.fingerprint()), expiry };
        Ok(Arc::new(Self { source, clock, current: RwLock::new(current), last_look: Mutex::new(last_look) }))
    }

    /// What a new handshake uses.
    pub(crate) fn config(&self) -> Arc<S::Config> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    pub(crate) fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.validity().map(Validity::ends)
    }

    fn validity(&self) -> Option<Validity> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).validity
    }

    pub(crate) fn reload(&self) -> Reload {
        let mut last_look = self.last_look.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.look(&mut last_look.seen);
        match &outcome {
            Reload::Unchanged => {}
            Reload::Replaced => info!("the {} TLS files have changed: new connections use them", S::WHOSE),
            Reload::Kept(cause) => warn!(
                error = %cause,
                "the {} TLS files have changed and cannot be used: the ones loaded before stay in use",
                S::WHOSE
            ),
        }
        last_look.expiry.look(self.validity(), &*self.clock, S::WHOSE);
        outcome
    }

    fn look(&self, seen: &mut Seen) -> Reload {
        let mut reader = Reader::default();
        let read = self.source.read(&mut reader);
        let now = match &read {
            Ok(_) => Seen::Contents(reader.fingerprint()),
            Err(cause) => Seen::Unreadable(cause.clone()),
        };
        if *seen == now {
            return Reload::Unchanged;
        }
        *seen = now;
        match read.and_then(|contents| self.source.build(&contents, &self.clock)) {
            Ok(loaded) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
                Reload::Replaced
            }
            Err(cause) => Reload::Kept(cause),
        }
    }

    /// Compares contents instead of waiting for events: a volume's are announced by a
    /// swapped symbolic link, a network file system's not at all.
    pub(crate) async fn watch(self: Arc<Self>, interval: Duration, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let live = self.clone();
            if let Err(cause) = task::spawn_blocking(move || live.reload()).await {
                error!(error = %cause, "cannot look at the {} TLS files", S::WHOSE);
            }
        }
    }
}

impl<S: Source> fmt::Debug for Live<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("whose", &S::WHOSE).finish_non_exhaustive()
    }
}
