//! Who calls: from the connection to the access check, and from there to the span.

use access::{Caller, PeerCertificate};
use http::Request;
use telemetry::spans;
use tls::{PeerInfo, PeerNames};
use tonic::body::Body;
use tracing::Span;

/// Tells the access check the names in the certificate that TLS has verified. It belongs
/// outside of the check.
pub(crate) fn present_certificate(mut request: Request<Body>) -> Request<Body> {
    let shown = request.extensions().get::<PeerInfo>().filter(|peer| !peer.certificates.is_empty());
    if let Some(PeerNames { uris, dns_names }) = shown.map(PeerInfo::names) {
        request.extensions_mut().insert(PeerCertificate { uris, dns_names });
    }
    request
}

/// Records whom the access check has found on the call's span. It belongs inside of the
/// check.
pub(crate) fn record_caller(request: Request<Body>) -> Request<Body> {
    if let Some(caller) = request.extensions().get::<Caller>() {
        spans::record_caller(&Span::current(), caller.name());
    }
    request
}
