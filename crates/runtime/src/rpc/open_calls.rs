//! Which calls of a server are in progress, and whether anyone still reads their responses.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::unread::Abandon;

/// The calls of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenCalls(Arc<Mutex<Calls>>);

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    open: HashMap<u64, Progress>,
    last_ended: Option<Instant>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Since when the call has waited for its reader; `None` while its handler works.
    waits_since: Option<Instant>,
    /// Ends its response, once there is one.
    response: Option<Abandon>,
}

impl OpenCalls {
    pub(crate) fn begin(&self) -> OpenCall {
        let mut calls = self.calls();
        calls.last += 1;
        let id = calls.last;
        calls.open.insert(id, Progress::default());
        OpenCall { id, calls: self.clone() }
    }

    /// Whether no handler has worked for this long: the remaining calls, or the
    /// connections that outlive their calls, wait for readers that read nothing.
    pub(crate) fn are_quiet_for(&self, time: Duration) -> bool {
        let calls = self.calls();
        let waiting = calls.open.values().all(|call| call.waits_for(time));
        waiting && calls.last_ended.is_none_or(|ended| ended.elapsed() >= time)
    }

    /// Ends the responses whose readers have taken nothing for this long. Returns how many.
    pub(crate) fn end_unread(&self, time: Duration) -> usize {
        let calls = self.calls();
        let unread = calls.open.values().filter(|call| call.waits_for(time));
        let unread: Vec<Abandon> = unread.filter_map(|call| call.response.clone()).collect();
        drop(calls);
        unread.iter().filter(|response| response.abandon()).count()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn waits_for(&self, time: Duration) -> bool {
        self.waits_since.is_some_and(|since| since.elapsed() >= time)
    }
}

/// A call in progress.
#[derive(Debug)]
pub(crate) struct OpenCall {
    id: u64,
    calls: OpenCalls,
}

impl OpenCall {
    /// The response has begun.
    pub(crate) fn responds(&self, response: Abandon) {
        self.update(|call| call.response = Some(response));
    }

    /// The reader asks for more, so the handler works.
    pub(crate) fn works(&self) {
        self.update(|call| call.waits_since = None);
    }

    /// The reader has to consume a message before it can ask again.
    pub(crate) fn waits_for_its_reader(&self) {
        self.update(|call| call.waits_since = Some(Instant::now()));
    }

    fn update(&self, change: impl FnOnce(&mut Progress)) {
        if let Some(call) = self.calls.calls().open.get_mut(&self.id) {
            change(call);
        }
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
    use std::{
        future::poll_fn,
        pin::Pin,
        task::{Context, Poll},
    };

    use http_body::{Body as _, Frame};
    use tonic::{Status, body::Body};

    use super::*;
    use crate::rpc::unread::AbandonableBody;

    /// A response whose handler works and holds something.
    struct Working(#[expect(dead_code, reason = "it is there to be dropped")] Arc<()>);

    impl http_body::Body for Working {
        type Data = <Body as http_body::Body>::Data;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
            Poll::Pending
        }
    }

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

    #[tokio::test]
    async fn a_response_that_is_not_read_is_ended_and_says_so() {
        let calls = OpenCalls::default();
        let (read, unread) = (calls.begin(), calls.begin());
        let handler = Arc::new(());
        let held = handler.clone();
        let mut body = AbandonableBody::new(Body::new(Working(held)));
        unread.responds(body.handle());
        unread.waits_for_its_reader();
        assert_eq!(calls.end_unread(Duration::from_secs(3_600)), 0, "not for an hour yet");
        assert_eq!(calls.end_unread(Duration::ZERO), 1);
        assert_eq!(Arc::strong_count(&handler), 1, "the handler is gone");
        assert_eq!(calls.end_unread(Duration::ZERO), 0, "once is enough");
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let trailers = next().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "4");
        assert!(next().await.is_none());
        drop(read);
    }
}
