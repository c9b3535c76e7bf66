//! Backfill: which days, what would change, and how far it has come.

mod form;
mod preview;
mod progress;

#[cfg(test)]
mod tests;

pub(crate) use progress::list;

use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use proto::pipeline::v1::BackfillRequest;

use crate::{
    backfills::Outcome, door::Operator, failure::Failure, fields::Fields, html::layout::Section,
    site::Console, visitor::Visitor,
};
use preview::Preview;

/// What the page shows.
struct Model {
    fields: Fields,
    /// What the fields ask for, if they ask for days.
    request: Option<BackfillRequest>,
    preview: Option<Result<Preview, Failure>>,
    /// Why the fields could not be understood, or the backfill was not started.
    failure: Option<Failure>,
}

/// `GET /backfill`
pub(crate) async fn show(visitor: Visitor, Query(fields): Query<Fields>) -> Result<Response, Failure> {
    if visitor.may_act().is_none() {
        return Err(Failure::Forbidden(format!(
            "{} may not run backfills: that takes the role operator.",
            visitor.name
        )));
    }
    let model = match form::request(&fields) {
        Err(failure) => Model { fields, request: None, preview: None, failure: Some(failure) },
        Ok(None) => Model { fields, request: None, preview: None, failure: None },
        Ok(Some(request)) => {
            let preview = preview::load(&visitor.services, &request).await;
            Model { fields, request: Some(request), preview: Some(preview), failure: None }
        }
    };
    Ok(page(&visitor, &model))
}

/// `POST /backfill`
pub(crate) async fn start(
    State(console): State<Console>,
    Operator(visitor, fields): Operator<Fields>,
) -> Result<Response, Failure> {
    let request = form::request(&fields)
        .and_then(|request| request.ok_or_else(|| Failure::Invalid("say which days to run".to_owned())));
    let started = match &request {
        Ok(request) => {
            let now = console.clock.now();
            console.backfills.start(&visitor.services, request.clone(), &visitor.name, now).await
        }
        Err(problem) => Err(Failure::Invalid(problem.to_string())),
    };
    match started {
        Ok(id) => Ok(Redirect::to(&progress::address(&id)).into_response()),
        // They sign in first.
        Err(failure) if failure.status() == StatusCode::UNAUTHORIZED => Err(failure),
        Err(failure) => {
            let model = Model { fields, request: request.ok(), preview: None, failure: Some(failure) };
            Ok(page(&visitor, &model))
        }
    }
}

/// `GET /backfill/{id}`
pub(crate) async fn follow(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let backfill = console.backfills.get(&id).ok_or_else(|| {
        Failure::NotFound(
            "This console knows no such backfill: it was started by another one, or before a restart. Its run \
             under way goes on; a backfill over the same days continues where it stopped."
                .to_owned(),
        )
    })?;
    let body = progress::view(&backfill, visitor.may_act(), console.clock.now());
    let title = "Backfill";
    Ok(if backfill.outcome == Outcome::UnderWay {
        visitor.page_that_moves(Section::Runs, title, &body)
    } else {
        visitor.page(Section::Runs, title, &body)
    })
}

fn page(visitor: &Visitor, model: &Model) -> Response {
    let refused = model.preview.iter().find_map(|preview| preview.as_ref().err()).or(model.failure.as_ref());
    let status = refused.map_or(StatusCode::OK, Failure::status);
    let body = visitor.page(Section::Runs, "Backfill", &view(model, &visitor.form_token));
    (status, body).into_response()
}

fn view(model: &Model, form_token: &str) -> Markup {
    html! {
        (form::form(&model.fields, model.failure.as_ref()))
        @if let Some(request) = &model.request {
            @match &model.preview {
                Some(Ok(preview)) => (preview::view(preview)),
                Some(Err(failure)) => section { h2 { "Preview" } (failure.explained()) },
                None => {},
            }
            (form::confirmation(request, model.preview.as_ref(), form_token))
        }
    }
}
