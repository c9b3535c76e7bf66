//! Asks for the pages of a day before their turn.

use std::{collections::VecDeque, sync::Arc};

use chrono::NaiveDate;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{
    api::Session,
    error::Error,
    page::{Page, PageRef},
    request_spans::DayRequests,
};

/// Pages that are asked for, in order. Each has its own task, so that it is received and
/// read while the pages before it are landed; dropping this ends the tasks.
pub(crate) struct PagesAhead {
    session: Session,
    requests: Arc<DayRequests>,
    asked: VecDeque<AbortOnDropHandle<Result<Page, Error>>>,
    /// The next page to ask for.
    next: PageRef,
}

impl PagesAhead {
    /// Asks for none yet.
    pub(crate) fn new(session: Session, day: NaiveDate) -> Self {
        let requests = session.requests_for(day);
        Self { session, requests, asked: VecDeque::new(), next: PageRef { day, page: 1 } }
    }

    /// Waits for the next page, `at`, and asks for all up to `last`.
    ///
    /// # Errors
    /// If it cannot be fetched; of pages after it only when it is their turn.
    pub(crate) async fn page(&mut self, at: PageRef, last: u32) -> Result<Page, Error> {
        while self.next.page <= last {
            let (session, requests, next) = (self.session.clone(), Arc::clone(&self.requests), self.next);
            let work = async move { session.page(next, &requests).await };
            self.asked.push_back(AbortOnDropHandle::new(tokio::spawn(work.in_current_span())));
            self.next.page += 1;
        }
        let abnormal = Err(Error::Abnormal { day: at.day });
        let outcome = match self.asked.pop_front() {
            Some(task) => task.await.unwrap_or(abnormal),
            None => abnormal,
        };
        outcome.inspect_err(|error| self.requests.gave_up(error))
    }
}
