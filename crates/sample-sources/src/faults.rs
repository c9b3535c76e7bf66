//! Faults that tests script into the API, and responses that they hold back.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::NaiveDate;
use domain::DateWindow;
use tokio::sync::watch;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Responds with this HTTP status and a JSON error instead of records.
    Status {
        /// The status, for example 401, 429 or 500.
        status: u16,
        /// The `Retry-After` header: seconds or an HTTP date.
        retry_after: Option<String>,
    },
    /// Responds 200 with a body that is not JSON.
    GarbageBody,
    /// Starts the correct response and breaks the connection halfway.
    CutBody,
    /// Sends the correct response, but only after this time.
    SlowFirstByte(Duration),
}

impl Fault {
    /// An error status without `Retry-After`.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None }
    }

    /// 429 Too Many Requests with `Retry-After: <seconds>`.
    #[must_use]
    pub fn too_many_requests(retry_after_seconds: u32) -> Self {
        Self::Status { status: 429, retry_after: Some(retry_after_seconds.to_string()) }
    }
}

/// The faults still to come, in order. Clones share one script, so a test can keep a
/// clone and add to it while the API serves.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    script: Arc<Mutex<VecDeque<ScriptedFault>>>,
    held: watch::Sender<BTreeSet<NaiveDate>>,
}

#[derive(Debug)]
struct ScriptedFault {
    /// Affects only requests for this day; `None` affects any.
    day: Option<NaiveDate>,
    fault: Fault,
    remaining: usize,
}

impl Faults {
    /// An empty script: every request gets the correct response.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies `fault` to the next `count` requests, after those already scripted.
    pub fn fail_next(&self, count: usize, fault: Fault) {
        self.add(ScriptedFault { day: None, fault, remaining: count });
    }

    /// Applies `fault` to the next `count` requests that include `day`. Requests
    /// without that day pass.
    pub fn fail_next_for(&self, day: NaiveDate, count: usize, fault: Fault) {
        self.add(ScriptedFault { day: Some(day), fault, remaining: count });
    }

    /// Holds back the responses to all requests that include `day` until it is
    /// [released](Self::release).
    pub fn hold(&self, day: NaiveDate) {
        self.held.send_modify(|held| {
            held.insert(day);
        });
    }

    /// Lets through the responses that wait for `day` alone, and all later ones.
    pub fn release(&self, day: NaiveDate) {
        self.held.send_modify(|held| {
            held.remove(&day);
        });
    }

    /// Drops the faults that have not happened yet, and holds nothing any more.
    pub fn clear(&self) {
        self.lock().clear();
        self.held.send_modify(BTreeSet::clear);
    }

    /// How many faults have not happened yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.lock().iter().map(|scripted| scripted.remaining).sum()
    }

    /// Takes the next fault for a request for `window` off the script.
    pub(crate) fn take(&self, window: DateWindow) -> Option<Fault> {
        let mut script = self.lock();
        let at = script.iter().position(|scripted| scripted.day.is_none_or(|day| window.contains(day)))?;
        let scripted = script.get_mut(at)?;
        let fault = scripted.fault.clone();
        scripted.remaining -= 1;
        if scripted.remaining == 0 {
            script.remove(at);
        }
        Some(fault)
    }

    /// Waits until no day of `window` is held.
    pub(crate) async fn released(&self, window: DateWindow) {
        let mut held = self.held.subscribe();
        // Cannot fail: this value owns the sender.
        let _ = held.wait_for(|held| !held.iter().any(|day| window.contains(*day))).await;
    }

    fn add(&self, scripted: ScriptedFault) {
        if scripted.remaining > 0 {
            self.lock().push_back(scripted);
        }
    }

    /// A panic elsewhere cannot leave the script half-changed.
    fn lock(&self) -> MutexGuard<'_, VecDeque<ScriptedFault>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::poll;

    use super::*;

    fn window(start: &str, end: &str) -> DateWindow {
        DateWindow::parse(start, end).unwrap()
    }

    #[test]
    fn faults_happen_in_order_and_as_often_as_scripted() {
        let faults = Faults::new();
        faults.fail_next(2, Fault::status(500));
        faults.fail_next(1, Fault::GarbageBody);
        faults.fail_next(0, Fault::CutBody);
        assert_eq!(faults.pending(), 3);
        let met: Vec<_> = (0..4).map(|_| faults.take(window("2026-01-01", "2026-01-01"))).collect();
        let server_error = Some(Fault::status(500));
        assert_eq!(met, [server_error.clone(), server_error, Some(Fault::GarbageBody), None]);
    }

    #[test]
    fn a_fault_for_a_day_waits_for_a_request_of_that_day() {
        let faults = Faults::new();
        let day = window("2026-01-05", "2026-01-05").start();
        faults.fail_next_for(day, 1, Fault::CutBody);
        assert_eq!(faults.take(window("2026-01-01", "2026-01-04")), None);
        assert_eq!(faults.take(window("2026-01-04", "2026-01-06")), Some(Fault::CutBody));
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn a_cleared_script_lets_everything_pass() {
        let faults = Faults::new();
        faults.fail_next(9, Fault::status(401));
        faults.clone().clear();
        assert_eq!(faults.take(window("2026-01-01", "2026-01-01")), None);
    }

    #[tokio::test]
    async fn a_held_day_waits_for_its_release() {
        let faults = Faults::new();
        let [first, last] = ["2026-01-01", "2026-01-03"].map(|day| window(day, day).start());
        faults.hold(first);
        faults.hold(last);
        faults.released(window("2026-01-02", "2026-01-02")).await;
        let mut all = Box::pin(faults.released(window("2026-01-01", "2026-01-03")));
        assert_eq!(poll!(&mut all), Poll::Pending);
        faults.release(last);
        assert_eq!(poll!(&mut all), Poll::Pending);
        faults.clone().release(first);
        assert_eq!(poll!(&mut all), Poll::Ready(()));
    }
}
