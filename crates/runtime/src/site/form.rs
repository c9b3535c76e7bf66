//! The body of a request, which arrives before a page is made.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody as _, to_bytes},
    extract::Request,
    response::Response,
};
use http::{StatusCode, header};
use tokio::time::timeout;

use super::observed::refusal;

/// The most bytes of a request's body: forms are small.
pub const MAX_FORM_BYTES: usize = 64 * 1024;
/// How long they may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Whether a request has a body to wait for.
pub(super) fn is_awaited(request: &Request) -> bool {
    !request.body().is_end_stream()
}

/// The request with its whole body.
pub(super) async fn receive(request: Request) -> Result<Request, Response> {
    let too_long = || {
        let message =
            format!("The form is longer than {MAX_FORM_BYTES} bytes, or was not sent to its end.\n");
        refusal(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_FORM_BYTES)) {
        return Err(too_long());
    }
    let (parts, body) = request.into_parts();
    match timeout(TIMEOUT, to_bytes(body, MAX_FORM_BYTES)).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(_)) => Err(too_long()),
        Err(_) => {
            let message = "The form took too long to arrive: send it again.\n";
            Err(refusal(StatusCode::REQUEST_TIMEOUT, message))
        }
    }
}
