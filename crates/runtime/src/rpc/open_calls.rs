//! Which calls of a server are in progress, and whether anyone still reads their responses.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The calls of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenCalls(Arc<Mutex<Calls>>);

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    /// Since when each call has waited for its reader; `None` while its handler works.
    open: HashMap<u64, Option<Instant>>,
    last_ended: Option<Instant>,
}

impl OpenCalls {
    pub(super) fn begin(&self) -> OpenCall {
        let mut calls = self.calls();
        calls.last += 1;
        let id = calls.last;
        calls.open.insert(id, None);
        OpenCall { id, calls: self.clone() }
    }

    /// Whether no handler has worked for this long: the remaining calls, or the
    /// connections that outlive their calls, wait for readers that read nothing.
    pub(crate) fn are_quiet_for(&self, time: Duration) -> bool {
        let calls = self.calls();
        let waiting = calls.open.values().all(|since| since.is_some_and(|since| since.elapsed() >= time));
        waiting && calls.last_ended.is_none_or(|ended| ended.elapsed() >= time)
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call in progress.
#[derive(Debug)]
pub(super) struct OpenCall {
    id: u64,
    calls: OpenCalls,
}

impl OpenCall {
    /// The reader asks for more, so the handler works.
    pub(super) fn works(&self) {
        self.calls.calls().open.insert(self.id, None);
    }

    /// The reader has to consume a message before it can ask again.
    pub(super) fn waits_for_its_reader(&self) {
        self.calls.calls().open.insert(self.id, Some(Instant::now()));
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut calls = self.calls.calls();
        calls.open.remove(&self.id);
        calls.last_ended = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_quiet_once_each_waits_for_its_reader() {
        let calls = OpenCalls::default();
        assert!(calls.are_quiet_for(Duration::ZERO));
        let (first, second) = (calls.begin(), calls.begin());
        first.waits_for_its_reader();
        assert!(!calls.are_quiet_for(Duration::ZERO), "the second one works");
        second.waits_for_its_reader();
        assert!(calls.are_quiet_for(Duration::ZERO));
        assert!(!calls.are_quiet_for(Duration::from_secs(3_600)), "not for an hour yet");
        first.works();
        assert!(!calls.are_quiet_for(Duration::ZERO));
        drop(first);
        assert!(calls.are_quiet_for(Duration::ZERO));
        assert!(!calls.are_quiet_for(Duration::from_secs(3_600)), "one has only just ended");
    }
}
