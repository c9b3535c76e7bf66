//! One call, from its request to the end of its response.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use contract::code_name;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use opentelemetry::{KeyValue, metrics::Histogram};
use opentelemetry_semantic_conventions::attribute::{RPC_METHOD, RPC_RESPONSE_STATUS_CODE, RPC_SYSTEM_NAME};
use telemetry::spans;
use tonic::{Code, Status};
use tracing::Span;

use super::open_calls::OpenCall;

/// The side of a call that we are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    /// Whether a code is this side's error: a server is not to blame for its callers'
    /// mistakes.
    const fn is_error(self, code: Code) -> bool {
        match self {
            Self::Client => !matches!(code, Code::Ok),
            Self::Server => matches!(
                code,
                Code::Unknown
                    | Code::DeadlineExceeded
                    | Code::Unimplemented
                    | Code::Internal
                    | Code::Unavailable
                    | Code::DataLoss
            ),
        }
    }
}

/// The method in a request's path, `package.Service/Method`; `None` for those not worth
/// a trace: health checks and reflection.
pub(super) fn traced_method(path: &str) -> Option<&str> {
    let method = path.strip_prefix('/')?;
    (!method.starts_with("grpc.")).then_some(method)
}

/// A call in progress. One dropped before its end counts as cancelled.
pub(super) struct Call {
    pub(super) span: Span,
    method: String,
    side: Side,
    began: Instant,
    durations: Histogram<f64>,
    has_ended: bool,
}

impl Call {
    pub(super) fn begin(side: Side, method: &str, span: Span, durations: Histogram<f64>) -> Self {
        let method = method.to_owned();
        Self { span, method, side, began: Instant::now(), durations, has_ended: false }
    }

    /// Ends the call with the status in `headers`, if there is one: in a headers-only
    /// response, or in trailers.
    pub(super) fn end_if_reported(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.end(status.code(), status.message());
        }
    }

    pub(super) fn end(&mut self, code: Code, message: &str) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let name = code_name(code);
        self.span.record(RPC_RESPONSE_STATUS_CODE, name);
        if self.side.is_error(code) {
            spans::record_status(&self.span, name, message);
        }
        self.durations.record(
            self.began.elapsed().as_secs_f64(),
            &[
                KeyValue::new(RPC_SYSTEM_NAME, "grpc"),
                KeyValue::new(RPC_METHOD, self.method.clone()),
                KeyValue::new(RPC_RESPONSE_STATUS_CODE, name),
            ],
        );
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled, "the caller went away before the end");
    }
}

pin_project_lite::pin_project! {
    /// A response body that ends its call when its trailers arrive.
    pub(crate) struct CallBody<B> {
        #[pin]
        body: B,
        call: Call,
        open: Option<OpenCall>,
    }
}

impl<B> CallBody<B> {
    pub(super) const fn new(body: B, call: Call) -> Self {
        Self { body, call, open: None }
    }

    /// Tracks the body as a call of its server.
    pub(super) fn open_as(self, open: OpenCall) -> Self {
        Self { open: Some(open), ..self }
    }
}

impl<B: Body<Error = Status>> Body for CallBody<B> {
    type Data = B::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let this = self.project();
        let in_span = this.call.span.enter();
        if let Some(open) = &this.open {
            open.works();
        }
        let frame = ready!(this.body.poll_frame(context));
        drop(in_span);
        if let Some(open) = &this.open {
            open.waits_for_its_reader();
        }
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.call.end_if_reported(trailers);
                }
            }
            Some(Err(status)) => this.call.end(status.code(), status.message()),
            // Ended without a status, which clients report as unknown.
            None => this.call.end(Code::Unknown, "the response ended without a status"),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
