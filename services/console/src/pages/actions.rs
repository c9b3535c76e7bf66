//! What may act: the one place that checks a form before anything is done.

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use subtle::ConstantTimeEq;
use tonic::Status;

use crate::{failure::Failure, fields::Fields, site::Console, visitor::Visitor};

/// A form that an operator has sent from a page of this site. A handler that has one as an
/// argument acts.
pub(crate) struct Action {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

impl FromRequest<Console> for Action {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, console).await?;
        let body = Bytes::from_request(Request::from_parts(parts, body), console).await;
        let body = body.map_err(|problem| Failure::Invalid(problem.body_text()))?;
        let fields = Fields::parse(&body);
        let is_ours: bool = fields.text("form_token").as_bytes().ct_eq(visitor.form_token.as_bytes()).into();
        if !is_ours {
            return Err(refused("the form is not one of this site's, or is older than the sign-in"));
        }
        operators_only(&visitor)?;
        Ok(Self { visitor, fields })
    }
}

/// Lets operators pass.
///
/// # Errors
/// If the visitor is none.
pub(crate) fn operators_only(visitor: &Visitor) -> Result<(), Failure> {
    if visitor.is_operator { Ok(()) } else { Err(refused("that takes the role operator")) }
}

fn refused(why: &str) -> Failure {
    Failure::Service(Status::permission_denied(why))
}

impl Visitor {
    /// What makes a form one of this site's; `None` for those who may not act, and are shown none.
    pub(crate) fn may_act(&self) -> Option<&str> {
        self.is_operator.then_some(&self.form_token)
    }
}
