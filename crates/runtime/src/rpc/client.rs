//! The client side: passes the trace on in the call's metadata.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use access::{BearerToken, SendsBearerToken};
use http::{Request, Response, Uri};
use opentelemetry::metrics::Histogram;
use opentelemetry_http::HeaderInjector;
use telemetry::{failable_span, metrics::RPC_CLIENT_DURATION};
use tonic::{body::Body, transport};
use tower::{Layer, Service, util::Either};
use tracing::{Instrument, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    call::{Call, CallBody, Side, traced_method},
    resend,
};

type Connection = Either<SendsBearerToken<transport::Channel>, transport::Channel>;

/// A connection to a service, over which calls carry their trace, and the caller's token
/// if there is one.
#[derive(Clone)]
pub struct Channel {
    connection: Connection,
    server: Uri,
    is_fit_for_tokens: bool,
    durations: Histogram<f64>,
}

impl Channel {
    /// Wraps `connection`, which goes to `server`; every call sends `token`.
    pub(crate) fn new(
        connection: transport::Channel,
        server: Uri,
        is_fit_for_tokens: bool,
        token: Option<BearerToken>,
    ) -> Self {
        let connection = match token {
            Some(token) => Either::Left(token.layer().layer(connection)),
            None => Either::Right(connection),
        };
        Self { connection, server, is_fit_for_tokens, durations: RPC_CLIENT_DURATION.histogram() }
    }

    /// Whether a caller's token may be sent over it: it is encrypted, stays on this machine, or
    /// goes where `--token-over-plain-text` lets it.
    #[must_use]
    pub const fn is_fit_for_tokens(&self) -> bool {
        self.is_fit_for_tokens
    }

    /// The URL of the server that it goes to.
    #[must_use]
    pub const fn server(&self) -> &Uri {
        &self.server
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), transport::Error>> {
        self.connection.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let Some(method) = traced_method(&path) else {
            return Box::pin(self.connection.call(request));
        };
        let span = failable_span!(
            "rpc",
            otel.name = method,
            otel.kind = "client",
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = Empty,
            server.address = self.server.host(),
            server.port = self.server.port_u16(),
        );
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&span.context(), &mut HeaderInjector(request.headers_mut()));
        });
        let mut call = Call::begin(Side::Client, method, span.clone(), self.durations.clone());
        // The one that is ready, not its clone.
        let clone = self.connection.clone();
        let connection = std::mem::replace(&mut self.connection, clone);
        let asking = resend::call(connection, request).instrument(span);
        Box::pin(async move {
            match asking.await {
                Ok(response) => {
                    call.end_if_reported(response.headers());
                    Ok(response.map(|body| Body::new(CallBody::new(body, call))))
                }
                Err(error) => {
                    call.end(tonic::Code::Unavailable, &error.to_string());
                    Err(error)
                }
            }
        })
    }
}
