//! Sends a request again that the connection has never taken.
//!
//! A server ends a connection that is idle, or when it stops. A call that begins in that
//! moment finds its connection gone before a byte of it was sent. tonic reports that as a
//! failed call.

use std::{
    collections::VecDeque,
    error::Error,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::poll_fn;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use tonic::{Status, body::Body, transport};
use tower::{Service, ServiceExt};

/// Calls over `connection`, which is ready. All requests of the contracts are one message,
/// so that keeping a copy costs nothing: it shares the bytes.
pub(super) async fn call<S>(mut connection: S, request: Request<Body>) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = transport::Error> + Clone,
{
    let (parts, body) = request.into_parts();
    let body = match Message::read(body).await {
        Ok(message) => message,
        // A request that cannot be encoded.
        Err(status) => return Ok(status.into_http()),
    };
    let again = connection.clone();
    let request = Request::from_parts(parts.clone(), Body::new(body.clone()));
    match connection.call(request).await {
        Err(error) if was_never_sent(&error) => {
            again.oneshot(Request::from_parts(parts, Body::new(body))).await
        }
        answer => answer,
    }
}

/// Whether hyper gave a request back: only then does it call it canceled.
fn was_never_sent(error: &transport::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The body of a request, in the pieces in which it was encoded.
#[derive(Clone)]
struct Message(VecDeque<Bytes>);

impl Message {
    async fn read(body: Body) -> Result<Self, Status> {
        let (mut body, mut pieces) = (pin!(body), VecDeque::new());
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            pieces.extend(frame?.into_data().ok());
        }
        Ok(Self(pieces))
    }
}

impl http_body::Body for Message {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }
}
