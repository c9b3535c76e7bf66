//! How fast the product API is asked: requests at a time, and requests a second.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// The pace of all requests of one process. It halves the requests at a time when the
/// server says that there are too many, and takes one more each time that so many were
/// answered in turn: what TCP does to share a line.
pub(crate) struct Pace {
    places: Arc<Semaphore>,
    adapted: Mutex<Adapted>,
    /// The most requests at a time.
    most: usize,
    /// The least time between two requests.
    gap: Duration,
}

#[derive(Default)]
struct Adapted {
    /// Requests allowed at a time.
    allowed: usize,
    /// Places that were taken away while requests were in them: they end with those.
    surplus: usize,
    /// Answers since the last change.
    answered: usize,
    slowed_at: Option<Instant>,
    /// Before then the server wants no request.
    resume_at: Option<Instant>,
    /// When the next request may be sent, as far as the gap goes.
    next_at: Option<Instant>,
}

/// A request's place; dropping it makes room for another.
pub(crate) struct Place {
    pace: Arc<Pace>,
    began: Instant,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pace {
    /// For at most `most` requests at a time, and `per_second` of them a second.
    pub(crate) fn new(most: usize, per_second: Option<NonZeroU32>) -> Arc<Self> {
        let gap = per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.get());
        let adapted = Adapted { allowed: most, ..Adapted::default() };
        Arc::new(Self { places: Arc::new(Semaphore::new(most)), adapted: Mutex::new(adapted), most, gap })
    }

    /// Waits until a request may be sent.
    pub(crate) async fn place(self: &Arc<Self>) -> Place {
        // Never closed, so there is always a permit.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            let resume_at = self.adapted().resume_at;
            let Some(resume_at) = resume_at.filter(|resume_at| *resume_at > Instant::now()) else { break };
            sleep_until(resume_at).await;
        }
        let turn = self.turn();
        if turn > Instant::now() {
            sleep_until(turn).await;
        }
        Place { pace: Arc::clone(self), began: Instant::now(), permit }
    }

    /// When it is the next request's turn.
    fn turn(&self) -> Instant {
        let now = Instant::now();
        let mut adapted = self.adapted();
        let turn = adapted.next_at.map_or(now, |next_at| next_at.max(now));
        adapted.next_at = Some(turn + self.gap);
        turn
    }

    fn adapted(&self) -> MutexGuard<'_, Adapted> {
        self.adapted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Records an answer, after which the server takes more.
    pub(crate) fn answered(&self) {
        let mut adapted = self.pace.adapted();
        adapted.answered += 1;
        if adapted.allowed < self.pace.most && adapted.answered >= adapted.allowed {
            adapted.answered = 0;
            adapted.allowed += 1;
            if adapted.surplus > 0 {
                adapted.surplus -= 1;
            } else {
                self.pace.places.add_permits(1);
            }
        }
    }

    /// Records that the server has too much to do, and wants no request for a while.
    pub(crate) fn refused(&self, pause: Option<Duration>) {
        let mut adapted = self.pace.adapted();
        let now = Instant::now();
        adapted.resume_at = adapted.resume_at.max(pause.map(|pause| now + pause));
        // Requests sent before the last change say nothing about what it changed.
        if adapted.slowed_at.is_some_and(|slowed_at| self.began <= slowed_at) {
            return;
        }
        adapted.slowed_at = Some(now);
        adapted.answered = 0;
        let allowed = (adapted.allowed / 2).max(1);
        let fewer = adapted.allowed - allowed;
        adapted.allowed = allowed;
        adapted.surplus += fewer - self.pace.places.forget_permits(fewer);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut adapted = self.pace.adapted();
        if adapted.surplus > 0 {
            adapted.surplus -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    /// As many places as there are now.
    fn fill(pace: &Arc<Pace>) -> Vec<Place> {
        let mut places = Vec::new();
        while let Some(place) = tokio::task::unconstrained(pace.place()).now_or_never() {
            places.push(place);
        }
        places
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_with_too_much_to_do_is_asked_half_as_much_and_then_more_again() {
        let pace = Pace::new(8, None);
        let places = fill(&pace);
        assert_eq!(places.len(), 8);
        tokio::time::advance(Duration::from_millis(1)).await;
        for place in &places {
            place.refused(None);
        }
        drop(places);
        // Eight refusals of requests that were sent together are one.
        let places = fill(&pace);
        assert_eq!(places.len(), 4);
        for place in &places {
            place.answered();
        }
        drop(places);
        assert_eq!(fill(&pace).len(), 5);
        for _ in 0..100 {
            pace.place().await.answered();
        }
        assert_eq!(fill(&pace).len(), 8);
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_at_a_time_always_remains() {
        let pace = Pace::new(3, None);
        for _ in 0..5 {
            tokio::time::advance(Duration::from_millis(1)).await;
            pace.place().await.refused(None);
        }
        assert_eq!(fill(&pace).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_server_asks_one_request_to_wait_all_wait() {
        let pace = Pace::new(8, None);
        let began = Instant::now();
        pace.place().await.refused(Some(Duration::from_secs(7)));
        let _place = pace.place().await;
        assert_eq!(began.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_requests_than_configured() {
        let pace = Pace::new(100, NonZeroU32::new(5));
        let began = Instant::now();
        for _ in 0..11 {
            pace.place().await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(2));
    }
}
