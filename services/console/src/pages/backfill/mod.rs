//! Backfill: which days, what would change, and how far it has come.

mod form;
mod preview;
mod progress;

#[cfg(test)]
mod tests;

pub(crate) use progress::list;

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use futures::FutureExt as _;
use maud::{Markup, html};
use proto::pipeline::v1::{BackfillRequest, GetRunRequest};

use crate::{
    backfills::Outcome,
    door::{Entry, Operator},
    failure::Failure,
    fields::Fields,
    html::layout::Section,
    site::Console,
    visitor::Visitor,
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
    /// Whether another site has led here, which may not have days fetched.
    is_led_here: bool,
}

impl Model {
    fn of(fields: Fields) -> Self {
        Self { fields, request: None, preview: None, failure: None, is_led_here: false }
    }
}

/// `GET /backfill`
pub(crate) async fn show(
    visitor: Visitor,
    Extension(entry): Extension<Entry>,
    Query(fields): Query<Fields>,
) -> Result<Response, Failure> {
    if visitor.may_act().is_none() {
        return Err(Failure::Forbidden(format!(
            "{} may not run backfills: that takes the role operator.",
            visitor.name
        )));
    }
    let model = match form::request(&fields) {
        Err(failure) => Model { failure: Some(failure), ..Model::of(fields) },
        Ok(None) => Model::of(fields),
        Ok(Some(_)) if !entry.is_own_link() => Model { is_led_here: true, ..Model::of(fields) },
        Ok(Some(request)) => {
            let preview = preview::load(&visitor.services, &request).await;
            Model { request: Some(request), preview: Some(preview), ..Model::of(fields) }
        }
    };
    Ok(page(&visitor, &model))
}

/// `POST /backfill`
pub(crate) async fn start(
    State(console): State<Console>,
    Extension(entry): Extension<Entry>,
    Operator(visitor, fields): Operator<Fields>,
) -> Result<Response, Failure> {
    let request = form::request(&fields)
        .and_then(|request| request.ok_or_else(|| Failure::Invalid("say which days to run".to_owned())));
    let started = match &request {
        Ok(request) => {
            let door = console.door.clone();
            let may_go_on = Box::new(move || {
                let (door, entry) = (door.clone(), entry.clone());
                async move { door.may_go_on(&entry).await }.boxed()
            });
            console.backfills.start(&visitor.services, request.clone(), &visitor.name, may_go_on).await
        }
        Err(problem) => Err(Failure::Invalid(problem.to_string())),
    };
    match started {
        Ok(id) => Ok(Redirect::to(&progress::address(&id)).into_response()),
        // They sign in first.
        Err(failure) if failure.status() == StatusCode::UNAUTHORIZED => Err(failure),
        Err(failure) => {
            let model = Model { request: request.ok(), failure: Some(failure), ..Model::of(fields) };
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
    if !visitor.is_reader && !visitor.is_operator {
        return Err(Failure::Forbidden(format!(
            "{} may not look at backfills: that takes the role reader.",
            visitor.name
        )));
    }
    let mut backfill = console.backfills.get(&id).ok_or_else(|| {
        Failure::NotFound(
            "This console knows no such backfill: it was started by another one, or before a restart. Its run \
             under way goes on; a backfill over the same days continues where it stopped."
                .to_owned(),
        )
    })?;
    // What the console knows it was told as somebody else: the visitor asks for the run anew.
    if let Some(run) = &mut backfill.run {
        let asked = GetRunRequest { run_id: run.run_id.clone() };
        *run = visitor.services.pipeline().get_run(asked).await?.into_inner().run.unwrap_or_default();
    }
    let body = progress::view(&backfill, visitor.may_act(), console.clock.now());
    let title = "Backfill";
    Ok(if backfill.outcome == Outcome::UnderWay {
        visitor.page_that_moves(Section::Runs, title, &body)
    } else {
        visitor.page(Section::Runs, title, &body)
    })
}

/// `POST /backfill/{id}/stop`
pub(crate) async fn stop(
    State(console): State<Console>,
    Path(id): Path<String>,
    Operator(visitor, _): Operator<Fields>,
) -> Redirect {
    console.backfills.stop(&id, &visitor.name);
    Redirect::to(&progress::address(&id))
}

fn page(visitor: &Visitor, model: &Model) -> Response {
    let refused = model.preview.iter().find_map(|preview| preview.as_ref().err()).or(model.failure.as_ref());
    let status = refused.map_or(StatusCode::OK, Failure::status);
    let body = visitor.page(Section::Runs, "Backfill", &view(model, &visitor.form_token));
    (status, body).into_response()
}

fn view(model: &Model, form_token: &str) -> Markup {
    let refused = model.preview.iter().find_map(|preview| preview.as_ref().err());
    // Days that are refused are mended in the form.
    let far = refused.filter(|failure| failure.far_days().is_some());
    html! {
        (form::form(&model.fields, model.failure.as_ref().or(far)))
        @if model.is_led_here {
            p.note { "A link from elsewhere has led here: press \u{201c}Preview\u{201d} to see what would change." }
        }
        @if let Some(request) = &model.request {
            @match &model.preview {
                Some(Ok(preview)) => (preview::view(preview)),
                Some(Err(failure)) if far.is_none() => section { h2 { "Preview" } (failure.explained()) },
                _ => {},
            }
            (form::confirmation(request, model.preview.as_ref(), form_token))
        }
    }
}
