//! The server side: joins the caller's trace before any handler runs.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use opentelemetry::metrics::Histogram;
use opentelemetry_http::HeaderExtractor;
use telemetry::{failable_span, metrics::RPC_SERVER_DURATION};
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    call::{Call, CallBody, Side, traced_method},
    open_calls::OpenCalls,
    unread::AbandonableBody,
};

/// Adds a server span to every call.
#[derive(Debug, Clone)]
pub(crate) struct RpcServerLayer {
    durations: Histogram<f64>,
    calls: OpenCalls,
}

impl RpcServerLayer {
    pub(crate) fn new(calls: OpenCalls) -> Self {
        Self { durations: RPC_SERVER_DURATION.histogram(), calls }
    }
}

impl<S> Layer<S> for RpcServerLayer {
    type Service = RpcServer<S>;

    fn layer(&self, inner: S) -> RpcServer<S> {
        RpcServer { inner, durations: self.durations.clone(), calls: self.calls.clone() }
    }
}

/// A service whose calls have server spans.
#[derive(Debug, Clone)]
pub(crate) struct RpcServer<S> {
    inner: S,
    durations: Histogram<f64>,
    calls: OpenCalls,
}

impl<S, B> Service<Request<B>> for RpcServer<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(method) = traced_method(request.uri().path()) else {
            return Box::pin(self.inner.call(request));
        };
        let span = failable_span!(
            "rpc",
            otel.name = method,
            otel.kind = "server",
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = Empty,
            enduser.id = Empty,
        );
        let parent = opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract(&HeaderExtractor(request.headers()))
        });
        // Fails only without telemetry, and then there is no trace to join.
        let _ = span.set_parent(parent);
        let mut call = Call::begin(Side::Server, method, span.clone(), self.durations.clone());
        let open = self.calls.begin();
        let answering = span.in_scope(|| self.inner.call(request)).instrument(span);
        Box::pin(async move {
            let response = answering.await?;
            call.end_if_reported(response.headers());
            Ok(response.map(|body| {
                let body = AbandonableBody::new(body);
                open.responds(body.handle());
                Body::new(CallBody::new(body, call).open_as(open))
            }))
        })
    }
}
