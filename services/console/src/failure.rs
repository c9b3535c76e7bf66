//! Pages that cannot be shown, and what to do about it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use presentation::refusal;
use tonic::{Code, Status};

use crate::html::layout;

/// Marks the answer to a visitor whom a service does not know, or no longer: the door sends
/// them to sign in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignInAgain;

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A service refused, or could not be reached.
    #[error("{0}")]
    Service(#[from] Status),
    /// The visitor has to sign in first.
    #[error("sign in first")]
    SignIn {
        /// The page to return to.
        return_to: String,
    },
    /// The visitor may not do this, or nobody may in this way.
    #[error("{0}")]
    Forbidden(String),
    /// The request went to an address that is not the console's.
    #[error("{0}")]
    Misdirected(String),
    /// The request cannot be read.
    #[error("{1}")]
    Refused(StatusCode, String),
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
            Self::SignIn { .. } => StatusCode::SEE_OTHER,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Refused(status, _) => *status,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// What has happened, in a few words.
    fn title(&self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "Not there",
            StatusCode::BAD_REQUEST => "Not understood",
            StatusCode::CONFLICT => "Not possible now",
            StatusCode::FORBIDDEN => "Not allowed",
            StatusCode::MISDIRECTED_REQUEST => "Another address",
            StatusCode::TOO_MANY_REQUESTS => "Too much at once",
            StatusCode::SERVICE_UNAVAILABLE => "A service does not answer",
            _ => "Something went wrong",
        }
    }

    /// What the visitor can do.
    pub(crate) fn next_step(&self) -> &'static str {
        match self.status() {
            StatusCode::NOT_FOUND => "Check the address, or look for it on the page that lists such things.",
            StatusCode::BAD_REQUEST => "Go back, mend what the message names, and send it again.",
            StatusCode::CONFLICT => "Reload the page to see what has changed, then try again.",
            StatusCode::FORBIDDEN if matches!(self, Self::Service(_)) => {
                "Ask whoever looks after the access policy for the role."
            }
            StatusCode::FORBIDDEN => "Go back to the page, and look again at what it offers.",
            StatusCode::MISDIRECTED_REQUEST => "Open the console by its own address.",
            StatusCode::TOO_MANY_REQUESTS => "Wait until something of it has ended, then try again.",
            StatusCode::SERVICE_UNAVAILABLE => {
                "The service does not answer now. Reload in a minute; if it stays so, look at its pods and logs."
            }
            _ => "Reload the page; if it stays so, look at the logs of the console and of the service.",
        }
    }

    /// What a service says of days that are far from everything published, if they are what is
    /// wrong.
    pub(crate) fn far_days(&self) -> Option<String> {
        if let Self::Service(status) = self { refusal::far_days(status) } else { None }
    }

    /// What is wrong, with all that a service says of it, and what to do.
    pub(crate) fn explained(&self) -> Markup {
        if let Some(problem) = self.far_days() {
            return html! {
                p.problem { (problem) }
                p { "Mend the days; or, if they are meant, tick \u{201c}Run them all the same\u{201d}." }
            };
        }
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
        if let Self::SignIn { return_to } = &self {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("return_to", return_to)
                .finish();
            return Redirect::to(&format!("/sign-in?{query}")).into_response();
        }
        let status = self.status();
        let body = html! {
            section.empty {
                (self.explained())
                @if status == StatusCode::FORBIDDEN {
                    p { a href="/sign-in" { "Sign in as somebody else" } }
                }
            }
        };
        let page = match self {
            // Its links would lead to an address that is not the console's.
            Self::Misdirected(_) => layout::page_for_nobody(self.title(), &body),
            _ => layout::page_of_failure(self.title(), &body),
        };
        let mut response = (status, page).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.extensions_mut().insert(SignInAgain);
        }
        response
    }
}
