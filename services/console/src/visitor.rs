//! Whoever looks at a page.

use std::fmt;

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{backend::Services, door::Entry, failure::Failure, site::Console};

/// Whoever looks at a page. A handler that has one as an argument is for those who may look;
/// others are sent to sign in. Handlers of actions have an [`Operator`](crate::door::Operator).
#[derive(Clone)]
pub(crate) struct Visitor {
    /// The name that the services know them by.
    pub(crate) name: String,
    /// Whether they may query, and watch runs.
    pub(crate) is_reader: bool,
    /// Whether they may run and repair the pipeline.
    pub(crate) is_operator: bool,
    /// Whether the services ask nobody who they are.
    pub(crate) is_anonymous: bool,
    /// The services, called as this visitor.
    pub(crate) services: Services,
    /// What each form has to send back, so that no other site can send it in the visitor's name.
    pub(crate) form_token: String,
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("name", &self.name).finish_non_exhaustive()
    }
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Failure> {
        let entry = parts.extensions.get::<Entry>();
        let entry = entry.ok_or_else(|| Failure::Forbidden("Nobody has asked who you are.".to_owned()))?;
        console.door.visitor(entry).await
    }
}
