//! Deadlines that callers set (`grpc-timeout`): where one has passed, the work for the
//! call is dropped, and the caller is told so.
//!
//! tonic's own timeout covers a call only until its response begins, so not the rest of a
//! stream, and answers CANCELLED. It stays outside of this one, and is never first.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use contract::status;
use domain::FailureKind;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// Ends calls at their deadlines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadlineLayer;

impl<S> Layer<S> for DeadlineLayer {
    type Service = WithDeadline<S>;

    fn layer(&self, inner: S) -> WithDeadline<S> {
        WithDeadline { inner }
    }
}

/// A service whose calls end at their deadlines.
#[derive(Debug, Clone)]
pub(crate) struct WithDeadline<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for WithDeadline<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let time = time_left(request.headers());
        let answering = self.inner.call(request);
        let Some(time) = time else { return Box::pin(answering) };
        let mut deadline = Box::pin(sleep(time));
        Box::pin(async move {
            tokio::select! {
                biased;
                response = answering => {
                    Ok(response?.map(|body| Body::new(BodyUntil { body: Some(body), deadline, time })))
                }
                () = deadline.as_mut() => Ok(passed(time).into_http()),
            }
        })
    }
}

/// What a caller whose deadline has passed is told, if it still listens.
fn passed(time: Duration) -> Status {
    let message = format!("the call's deadline has passed: it gave {}", humantime::format_duration(time));
    status(FailureKind::TimedOut, message, None)
}

/// A response until its deadline; from then on only trailers, and its work is dropped.
struct BodyUntil {
    /// `None` once the deadline has passed.
    body: Option<Body>,
    deadline: Pin<Box<Sleep>>,
    time: Duration,
}

impl http_body::Body for BodyUntil {
    type Data = <Body as http_body::Body>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        if self.body.is_none() {
            return Poll::Ready(None);
        }
        // First, because a stream that always has something to send would never be ended.
        if self.deadline.as_mut().poll(context).is_ready() {
            self.body = None;
            let mut trailers = HeaderMap::new();
            return Poll::Ready(Some(match passed(self.time).add_header(&mut trailers) {
                Ok(()) => Ok(Frame::trailers(trailers)),
                Err(status) => Err(status),
            }));
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The time that a call's headers give it; `None` without a limit, or with one that is not
/// of the protocol's form.
fn time_left(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3_600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc};

    use tonic::Code;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    /// A body that never says anything, and holds on to something.
    struct Silent(#[expect(dead_code, reason = "it is held")] Arc<()>);

    impl http_body::Body for Silent {
        type Data = <Body as http_body::Body>::Data;
        type Error = Status;

        fn poll_frame(
            self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
            Poll::Pending
        }
    }

    fn request_within(timeout: &str) -> Request<()> {
        Request::builder().header(GRPC_TIMEOUT, timeout).body(()).unwrap()
    }

    #[tokio::test]
    async fn a_call_without_an_answer_at_its_deadline_is_told_so() {
        let silent = service_fn(async |_: Request<()>| -> Result<Response<Body>, Infallible> {
            std::future::pending().await
        });
        let response = DeadlineLayer.layer(silent).oneshot(request_within("5m")).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.message(), "the call's deadline has passed: it gave 5ms");
    }

    #[tokio::test]
    async fn a_stream_ends_at_its_deadline_and_lets_go() {
        let held = Arc::new(());
        let watch = Arc::downgrade(&held);
        let streaming = service_fn(move |_: Request<()>| {
            let body = Body::new(Silent(Arc::clone(&held)));
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let response = DeadlineLayer.layer(streaming).oneshot(request_within("5m")).await.unwrap();
        let mut body = std::pin::pin!(response.into_body());
        let mut next = async || {
            std::future::poll_fn(|context| http_body::Body::poll_frame(body.as_mut(), context)).await
        };
        let trailers = next().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(Status::from_header_map(&trailers).unwrap().code(), Code::DeadlineExceeded);
        assert!(next().await.is_none());
        assert!(watch.upgrade().is_none(), "the stream is still held");
    }

    #[test]
    fn a_timeout_is_read_as_the_protocol_writes_it() {
        for (text, expected) in [
            ("250m", Some(Duration::from_millis(250))),
            ("2S", Some(Duration::from_secs(2))),
            ("3H", Some(Duration::from_secs(10_800))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3_600))),
            ("0n", Some(Duration::ZERO)),
            ("100000000S", None),
            ("+5S", None),
            ("S", None),
            ("", None),
            ("5s", None),
        ] {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(GRPC_TIMEOUT),
                http::HeaderValue::from_str(text).unwrap(),
            )]);
            assert_eq!(time_left(&headers), expected, "{text:?}");
        }
        assert_eq!(time_left(&HeaderMap::new()), None);
    }
}
