//! What an operator can do with a run.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use maud::{Markup, html};
use presentation::command::CommandLine;
use proto::pipeline::v1::{CancelRunRequest, RetryRunRequest, Run, RunState};
use tonic::Status;

use super::{findings, head::takes_back, live::content, title};
use crate::{
    door::Operator,
    failure::Failure,
    fields::Fields,
    html::{address, command::command, form, layout::Section},
    site::Console,
    visitor::Visitor,
};

/// `POST /runs/{run_id}/retry`
pub(crate) async fn retry(
    State(console): State<Console>,
    Path(run_id): Path<String>,
    Operator(visitor, _): Operator<Fields>,
) -> Result<Response, Failure> {
    let asked = visitor.services.pipeline().retry_run(RetryRunRequest { run_id: run_id.clone() }).await;
    answer(&console, &visitor, &run_id, asked.err()).await
}

/// `POST /runs/{run_id}/cancel`
pub(crate) async fn cancel(
    State(console): State<Console>,
    Path(run_id): Path<String>,
    Operator(visitor, _): Operator<Fields>,
) -> Result<Response, Failure> {
    let asked = visitor.services.pipeline().cancel_run(CancelRunRequest { run_id: run_id.clone() }).await;
    answer(&console, &visitor, &run_id, asked.err()).await
}

/// The run's page: by its address once it is done, at once with what is wrong if it was refused.
async fn answer(
    console: &Console,
    visitor: &Visitor,
    run_id: &str,
    refused: Option<Status>,
) -> Result<Response, Failure> {
    let Some(status) = refused else { return Ok(Redirect::to(&address::run(run_id)).into_response()) };
    // A run that cannot be read either has one message to show, not two.
    let Ok((run, findings)) = super::load(visitor, run_id).await else { return Err(status.into()) };
    let failure = Failure::Service(status);
    let body = html! {
        (actions(&run, visitor.may_act(), Some(&failure)))
        p { a href=(address::run(run_id)) { "Back to the run" } }
        // As it is now: a page that was posted to cannot ask for itself again.
        (content(&run, console.clock.now()))
        (findings::view(&run, &findings))
    };
    let page = visitor.page(Section::Runs, &title(&run), &body);
    Ok((failure.status(), page).into_response())
}

/// The actions that make sense in the run's state; nothing for those who may not act.
pub(super) fn actions(run: &Run, form_token: Option<&str>, failure: Option<&Failure>) -> Markup {
    let Some(form_token) = form_token else { return html! {} };
    let offered = match run.state() {
        RunState::Failed | RunState::Cancelled => html! {
            p {
                "Continues at the first stage that is not done, over the same days. Stages that have succeeded are \
                 not repeated."
            }
            (form(run, "retry", form_token, &html! { button type="submit" { "Retry the run" } }))
            (command(&CommandLine::retry(&run.run_id)))
        },
        RunState::Queued | RunState::Running => html! {
            p {
                "Stops running stages and rolls them back. A cancelled run "
                @if takes_back(run) { "takes nothing back" } @else { "publishes nothing" }
                ", and can be continued later."
            }
            (form(run, "cancel", form_token, &html! { button.danger type="submit" { "Cancel the run" } }))
            (command(&CommandLine::cancel(&run.run_id)))
        },
        RunState::Succeeded | RunState::Unspecified => html! {},
    };
    html! {
        @if failure.is_some() || !offered.0.is_empty() {
            section.action aria-labelledby="actions" {
                h2 #actions { "Actions" }
                @if let Some(failure) = failure { div role="alert" { (failure.explained()) } }
                (offered)
            }
        }
    }
}

fn form(run: &Run, action: &str, form_token: &str, button: &Markup) -> Markup {
    html! {
        form method="post" action={ (address::run(&run.run_id)) "/" (action) } {
            (form::token(form_token))
            p { (button) }
        }
    }
}
