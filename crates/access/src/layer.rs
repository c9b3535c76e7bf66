//! Stands in front of a gRPC server and lets through what may pass.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, header::AUTHORIZATION};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{debug, info};

use crate::{
    access::Access,
    caller::Caller,
    certificate::PeerCertificate,
    methods::{Admission, admission},
    refusal::Refusal,
    role::Role,
};

/// Asks an [`Access`] about every call. It belongs outside of all layers but the one that
/// traces calls.
#[derive(Debug, Clone)]
pub struct AccessLayer(Access);

impl AccessLayer {
    pub(crate) const fn new(access: Access) -> Self {
        Self(access)
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = ChecksAccess<S>;

    fn layer(&self, inner: S) -> ChecksAccess<S> {
        ChecksAccess { inner, access: self.0.clone() }
    }
}

/// A server whose calls are checked. The extensions of a request that it lets through
/// hold a [`Caller`], unless its method is open to everybody.
#[derive(Debug, Clone)]
pub struct ChecksAccess<S> {
    inner: S,
    access: Access,
}

impl<S, B, R> Service<Request<B>> for ChecksAccess<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready, not its clone.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let access = self.access.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // Only this layer says who calls.
            parts.extensions.remove::<Caller>();
            let certificate = parts.extensions.get::<PeerCertificate>();
            match access.admit(parts.uri.path(), &parts.headers, certificate).await {
                Ok(caller) => {
                    // Nobody behind this needs the token, so nobody can pass it on.
                    parts.headers.remove(AUTHORIZATION);
                    if let Some(caller) = caller {
                        if !access.is_open() {
                            report(&caller, parts.uri.path());
                        }
                        parts.extensions.insert(caller);
                    }
                    inner.call(Request::from_parts(parts, body)).await
                }
                Err(refusal) => Ok(refuse(refusal, parts.uri.path())),
            }
        })
    }
}

/// The audit trail: who changed something, by which call. Reading is not worth a line.
fn report(caller: &Caller, path: &str) {
    match admission(path) {
        Some(Admission::Roles(roles)) if !roles.contains(&Role::Reader) => {
            info!(caller = caller.name(), method = path, "admitted");
        }
        _ => debug!(caller = caller.name(), method = path, "admitted"),
    }
}

fn refuse<R: Default>(refusal: Refusal, path: &str) -> Response<R> {
    // What the issuer is to blame for is in the log already, once for many calls.
    if refusal.code() == Code::Unavailable {
        debug!(method = path, reason = %refusal, "cannot establish who calls");
    } else {
        info!(method = path, reason = %refusal, "refused");
    }
    Status::from(refusal).into_http()
}
