//! Reads a watched run once for all of its watchers in this process.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, Weak},
};

use tokio::{sync::Mutex, time::Instant};
use uuid::Uuid;
use warehouse::{Run, RunReader};

use crate::error::Error;

/// The watched runs. A run is forgotten with its last watcher.
pub(crate) struct SharedReads {
    runs: Arc<dyn RunReader>,
    watched: std::sync::Mutex<HashMap<Uuid, Weak<SharedRead>>>,
}

/// The newest read of one run. Nothing reads in the background: the watcher that first
/// needs a newer one reads, and those that ask meanwhile wait for it.
pub(crate) struct SharedRead {
    run_id: Uuid,
    runs: Arc<dyn RunReader>,
    newest: Mutex<Option<Read>>,
}

/// A run as read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) run: Arc<Run>,
    /// The version of the progress board, known before the read.
    pub(crate) version: u64,
    /// When the read began: it shows what was committed before.
    pub(crate) began: Instant,
}

impl SharedReads {
    pub(crate) fn new(runs: Arc<dyn RunReader>) -> Self {
        Self { runs, watched: std::sync::Mutex::default() }
    }

    /// The reads of one run, for as long as somebody holds them.
    pub(crate) fn of(&self, run_id: Uuid) -> Arc<SharedRead> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, read| read.strong_count() > 0);
        if let Some(shared) = watched.get(&run_id).and_then(Weak::upgrade) {
            return shared;
        }
        let shared = Arc::new(SharedRead { run_id, runs: Arc::clone(&self.runs), newest: Mutex::default() });
        watched.insert(run_id, Arc::downgrade(&shared));
        shared
    }
}

#[cfg(test)]
impl SharedReads {
    /// How many runs are watched.
    pub(crate) fn watched(&self) -> usize {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.values().filter(|read| read.strong_count() > 0).count()
    }
}

impl SharedRead {
    /// The run, as of `since` or later and with everything that this process had changed
    /// by `version`.
    ///
    /// # Errors
    /// If the run does not exist or storage fails. The next watcher then tries itself.
    pub(crate) async fn read(&self, version: u64, since: Instant) -> Result<Read, Error> {
        let mut newest = self.newest.lock().await;
        if let Some(read) = newest.as_ref().filter(|read| read.version >= version && read.began >= since) {
            return Ok(read.clone());
        }
        let began = Instant::now();
        let run = self.runs.run(self.run_id).await?.ok_or(Error::RunNotFound(self.run_id))?;
        let read = Read { run: Arc::new(run), version, began };
        *newest = Some(read.clone());
        Ok(read)
    }
}

impl fmt::Debug for SharedRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedRead").field("run_id", &self.run_id).finish_non_exhaustive()
    }
}
