//! A response body that can be taken from a reader that does not read it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
};

use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

type Shared = Mutex<Option<Body>>;

/// A response body. Nobody polls one whose reader takes nothing, so it cannot end itself.
pub(crate) struct AbandonableBody {
    body: Arc<Shared>,
    farewell: Farewell,
    has_ended: bool,
}

/// How a body ends that was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// With a status, which gRPC reads.
    Trailers,
    /// With an error, which breaks the connection: HTTP knows no other sign that a response
    /// is not whole.
    Error,
}

/// Ends a body from outside.
#[derive(Debug, Clone)]
pub(crate) struct Abandon(Weak<Shared>);

impl AbandonableBody {
    /// The body of a gRPC response.
    pub(super) fn new(body: Body) -> Self {
        Self::ending_with(Farewell::Trailers, body)
    }

    /// The body of a page.
    pub(crate) fn failing(body: Body) -> Self {
        Self::ending_with(Farewell::Error, body)
    }

    fn ending_with(farewell: Farewell, body: Body) -> Self {
        Self { body: Arc::new(Mutex::new(Some(body))), farewell, has_ended: false }
    }

    pub(crate) fn handle(&self) -> Abandon {
        Abandon(Arc::downgrade(&self.body))
    }
}

impl Abandon {
    /// Drops what the body holds: its handler, and what that has of the database. False if
    /// it has ended already.
    pub(super) fn abandon(&self) -> bool {
        // Dropped after the lock: what it holds may take a moment to go.
        let body = self.0.upgrade().and_then(|body| locked(&body).take());
        body.is_some()
    }
}

fn locked(body: &Shared) -> MutexGuard<'_, Option<Body>> {
    body.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unread() -> Status {
    Status::deadline_exceeded(
        "the response was not read for too long, and has been ended: read it as it comes",
    )
}

impl http_body::Body for AbandonableBody {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        if let Some(body) = locked(&self.body).as_mut() {
            return Pin::new(body).poll_frame(context);
        }
        if std::mem::replace(&mut self.has_ended, true) {
            return Poll::Ready(None);
        }
        if self.farewell == Farewell::Error {
            return Poll::Ready(Some(Err(unread())));
        }
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(unread().add_header(&mut trailers).map(|()| Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.body).as_ref().map_or(self.has_ended, http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        locked(&self.body).as_ref().map_or_else(SizeHint::default, http_body::Body::size_hint)
    }
}
