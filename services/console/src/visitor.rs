//! Whoever looks at a page.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    backend::{Credential, Services},
    failure::Failure,
    site::Console,
};

/// Whoever looks at a page. A handler that has one as an argument is for those who may look;
/// others are sent to sign in.
#[derive(Debug, Clone)]
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

impl FromRequestParts<Console> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(_parts: &mut Parts, console: &Console) -> Result<Self, Failure> {
        Ok(Self {
            name: "anonymous".to_owned(),
            is_reader: true,
            is_operator: true,
            is_anonymous: true,
            services: Services::new(&console.backend, &Credential::none()),
            form_token: String::new(),
        })
    }
}
