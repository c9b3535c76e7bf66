//! What browsers are told of every response.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::site::Console;

/// Nothing but what this server serves is loaded, run or sent to, and nobody frames it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                       img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                                       base-uri 'none'; frame-ancestors 'none'";

const ALWAYS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Addresses hold company ids, which are nobody else's business.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), midi=(), payment=(), usb=()",
    ),
];

/// A year. Only for the public host: on this machine other servers share the name.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Middleware around everything.
pub(super) async fn secure(State(console): State<Console>, request: Request, next: Next) -> Response {
    let origin = console.door.origin_of(&request).ok();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Pages are of one visitor; style and script say for themselves how long they last.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if origin.is_some_and(|origin| origin.is_secure() && !origin.is_loopback()) {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
    }
    response
}
