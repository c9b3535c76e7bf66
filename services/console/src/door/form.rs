//! Forms: that they come from a page of ours, and from somebody who may send them.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::{Form, FromRequest, FromRequestParts, Request},
    http::{Method, StatusCode, header},
};
use runtime::MAX_FORM_BYTES;
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use tracing::info;

use super::{Entry, origin};
use crate::{failure::Failure, html::form::FORM_TOKEN, site::Console, visitor::Visitor};

/// How long a form may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Admits a request that changes something. This is the only way to a handler, so none can
/// forget it.
pub(super) async fn admit(entry: &Entry, request: Request) -> Result<Request, Failure> {
    if request.method() != Method::POST {
        return Err(Failure::Refused(StatusCode::METHOD_NOT_ALLOWED, "Forms are sent by POST.".to_owned()));
    }
    origin::check_sender(&entry.origin, request.headers())?;
    let kind = request.headers().get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    if !kind.starts_with(b"application/x-www-form-urlencoded") {
        let message = "Send a form (application/x-www-form-urlencoded).".to_owned();
        return Err(Failure::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(TIMEOUT, to_bytes(body, MAX_FORM_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            let message =
                format!("The form is longer than {MAX_FORM_BYTES} bytes, or was not sent to its end.");
            return Err(Failure::Refused(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        Err(_) => {
            let message = "The form took too long to arrive: send it again.".to_owned();
            return Err(Failure::Refused(StatusCode::REQUEST_TIMEOUT, message));
        }
    };
    let sent = url::form_urlencoded::parse(&body).find(|(name, _)| name == FORM_TOKEN);
    let is_ours =
        sent.is_some_and(|(_, token)| bool::from(token.as_bytes().ct_eq(entry.form_token.as_bytes())));
    if !is_ours {
        return Err(Failure::Forbidden(
            "The form does not come from a page that was made for you: nothing was done. The console may have been \
             restarted, or you have signed in or out meanwhile: reload the page and send the form again."
                .to_owned(),
        ));
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// An action: somebody who may run and repair the pipeline, and what they have filled in.
pub(crate) struct Operator<T>(pub(crate) Visitor, pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Console> for Operator<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let address = parts.extensions.get::<Entry>().map_or_else(String::new, Entry::address);
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        info!(
            caller = visitor.name,
            address,
            path = parts.uri.path(),
            visitor.is_operator,
            "an action is asked for"
        );
        if !visitor.is_operator {
            return Err(Failure::Forbidden(format!(
                "{} may not do this: that takes the role operator.",
                visitor.name
            )));
        }
        let Form(form) = Form::from_request(Request::from_parts(parts, body), console)
            .await
            .map_err(|rejection| Failure::Invalid(rejection.body_text()))?;
        Ok(Self(visitor, form))
    }
}
