//! The form that starts a run.

use contract::message::window_to_proto;
use maud::{Markup, html};
use presentation::command::CommandLine;
use proto::pipeline::v1::TriggerRunRequest;

use crate::{
    failure::Failure,
    fields::Fields,
    html::{command::command_of_form, form},
};

/// What a form asks for.
///
/// # Errors
/// If its days are none.
pub(super) fn request(fields: &Fields) -> Result<TriggerRunRequest, Failure> {
    Ok(TriggerRunRequest {
        window: fields.window()?.map(window_to_proto),
        force: fields.is_set("force"),
        accept_empty_days: fields.days("accept_empty")?,
        beyond_reach: fields.is_set("beyond_reach"),
        ..TriggerRunRequest::default()
    })
}

/// The form, with the values that were sent and why they were refused.
pub(super) fn form(fields: &Fields, failure: Option<&Failure>, form_token: &str) -> Markup {
    let command = CommandLine::trigger(&request(fields).unwrap_or_default());
    html! {
        details.action open[failure.is_some()] {
            summary { "Start a run" }
            form method="post" action="/runs" data-command="trigger-command" {
                @if let Some(failure) = failure { div role="alert" { (failure.explained()) } }
                (form::token(form_token))
                p.note {
                    "Without days: every day not yet published, up to yesterday. With days: exactly these. A run \
                     that covers the same days already is found rather than started twice, and a run publishes \
                     its days only if all its stages succeed."
                }
                div.row {
                    label { "From day" input type="date" name="from" value=(fields.text("from")) data-flag="--from"; }
                    label { "To day" input type="date" name="to" value=(fields.text("to")) data-flag="--to"; }
                    label {
                        "Believe small answers of"
                        input type="text" name="accept_empty" value=(fields.text("accept_empty"))
                            placeholder="2026-02-12 2026-02-13" data-flag="--accept-empty";
                    }
                }
                (form::tick(fields, "force", Some("--force"), "Run them again even if a run over them has succeeded"))
                (form::far_days(fields, Some("--force --yes")))
                p {
                    button type="submit" { "Start the run" }
                    " or see first what running past days again would change: " a href="/backfill" { "Backfill" }
                }
            }
            p.note { "The same from a shell:" }
            (command_of_form(&command, "trigger-command"))
        }
    }
}
