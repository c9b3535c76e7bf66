//! Runs: what ran, what runs, and the form that starts a run.

mod filter;
mod table;
mod trigger;

#[cfg(test)]
mod tests;

use axum::{
    extract::{Query, State},
    http::Uri,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use proto::pipeline::v1::Run;

use crate::{
    backfills::Backfill,
    door::Operator,
    failure::Failure,
    fields::Fields,
    html::{
        address::{self, Address},
        layout::Section,
        table::pager,
    },
    pages::backfill::list,
    site::Console,
    visitor::Visitor,
};
use filter::Filter;

/// What the page shows.
struct Model {
    filter: Filter,
    address: Address,
    runs: Vec<Run>,
    next_page_token: String,
    backfills: Vec<Backfill>,
    now: DateTime<Utc>,
}

/// `GET /runs`
pub(crate) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    uri: Uri,
    Query(fields): Query<Fields>,
) -> Result<Markup, Failure> {
    let model = load(&console, &visitor, Filter::parse(&fields)?, Address::of(&uri)).await?;
    let form = visitor.may_act().map(|token| trigger::form(&Fields::default(), None, token));
    Ok(page(&visitor, &model, form))
}

/// `POST /runs`
pub(crate) async fn trigger(
    State(console): State<Console>,
    Operator(visitor, fields): Operator<Fields>,
) -> Result<Response, Failure> {
    let failure = match start(&visitor, &fields).await {
        Ok(address) => return Ok(Redirect::to(&address).into_response()),
        Err(failure) => failure,
    };
    // The form comes back as it was sent, with what is wrong.
    let model = load(&console, &visitor, Filter::default(), Address::new("/runs")).await?;
    let form = visitor.may_act().map(|token| trigger::form(&fields, Some(&failure), token));
    Ok((failure.status(), page(&visitor, &model, form)).into_response())
}

async fn start(visitor: &Visitor, fields: &Fields) -> Result<String, Failure> {
    let request = trigger::request(fields)?;
    let answer = visitor.services.pipeline().trigger_run(request).await?.into_inner();
    let run = answer.run.unwrap_or_default();
    let found = if answer.created { "" } else { "yes" };
    Ok(Address::new(address::run(&run.run_id)).with("found", found).to_string())
}

async fn load(
    console: &Console,
    visitor: &Visitor,
    filter: Filter,
    address: Address,
) -> Result<Model, Failure> {
    let answer = visitor.services.pipeline().list_runs(filter.request()).await?.into_inner();
    Ok(Model {
        filter,
        address,
        runs: answer.runs,
        next_page_token: answer.next_page_token,
        backfills: console.backfills.under_way(),
        now: console.clock.now(),
    })
}

fn page(visitor: &Visitor, model: &Model, form: Option<Markup>) -> Markup {
    visitor.page(Section::Runs, "Runs", &view(model, form.as_ref()))
}

fn view(model: &Model, form: Option<&Markup>) -> Markup {
    html! {
        @if let Some(form) = form { (form) }
        @if !model.backfills.is_empty() { (list(&model.backfills)) }
        section aria-label="Runs" {
            (table::filter_form(&model.filter))
            @if model.runs.is_empty() {
                (table::empty(&model.filter, form.is_some()))
            } @else {
                (table::runs(&model.runs, model.now))
            }
            (pager(&model.address, &model.next_page_token))
        }
    }
}
