//! Pages that cannot be shown, and what to do about it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::{Markup, html};
use presentation::refusal;
use tonic::{Code, Status};

use crate::html::layout;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A service refused, or could not be reached.
    #[error("{0}")]
    Service(#[from] Status),
    /// Nothing has that address.
    #[error("{0}")]
    NotFound(String),
    /// Something of the address or the form cannot be understood.
    #[error("{0}")]
    Invalid(String),
}

impl Failure {
    /// The answer's status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Service(status) => match status.code() {
                Code::NotFound => StatusCode::NOT_FOUND,
                Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
                Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => StatusCode::CONFLICT,
                Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                Code::PermissionDenied => StatusCode::FORBIDDEN,
                Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                Code::Unavailable | Code::DeadlineExceeded => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What the visitor can do.
    fn next_step(&self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "Check the address, or look for it on the page that lists such things.",
            StatusCode::BAD_REQUEST => "Go back, mend what the message names, and send it again.",
            StatusCode::CONFLICT => "Reload the page to see what has changed, then try again.",
            StatusCode::FORBIDDEN => "Ask whoever looks after the access policy for the role.",
            StatusCode::SERVICE_UNAVAILABLE => {
                "The service does not answer now. Reload in a minute; if it stays so, look at its pods and logs."
            }
            _ => "Reload the page; if it stays so, look at the logs of the console and of the service.",
        }
    }
}

impl Failure {
    /// What is wrong, with all that a service says of it, and what to do.
    pub(crate) fn explained(&self) -> Markup {
        let (message, details) = match self {
            Self::Service(status) => (status.message().to_owned(), refusal::details(status)),
            other => (other.to_string(), Vec::new()),
        };
        html! {
            p.problem { (message) }
            @if !details.is_empty() { ul.findings { @for detail in &details { li { (detail) } } } }
            p { (self.next_step()) }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or("Error");
        let body = html! { section.empty { (self.explained()) } };
        (status, layout::page_for_nobody(title, &body)).into_response()
    }
}
