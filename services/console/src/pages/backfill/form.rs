//! The form that asks for a preview, and the one that starts the backfill.

use axum::http::StatusCode;
use contract::message::window_to_proto;
use maud::{Markup, html};
use presentation::command::CommandLine;
use proto::pipeline::v1::BackfillRequest;

use super::preview::Preview;
use crate::{
    failure::Failure,
    fields::Fields,
    html::{command::command, form},
};

/// Days per run unless the form says otherwise.
const CHUNK_DAYS: u32 = 31;

/// What a form asks for; `None` if it names no days.
///
/// # Errors
/// If its days are none, or the size of a run is no number.
pub(super) fn request(fields: &Fields) -> Result<Option<BackfillRequest>, Failure> {
    let Some(window) = fields.window()? else { return Ok(None) };
    let chunk_days = match fields.text("chunk_days") {
        "" => CHUNK_DAYS,
        text => text.parse().ok().filter(|days| *days > 0).ok_or_else(|| {
            Failure::Invalid(format!("{text:?} is no number of days per run; the least is 1"))
        })?,
    };
    Ok(Some(BackfillRequest {
        window: Some(window_to_proto(window)),
        force: fields.is_set("force"),
        chunk_days,
        beyond_reach: fields.is_set("beyond_reach"),
        ..BackfillRequest::default()
    }))
}

/// The form that asks what would change. It changes nothing, so its fields are in the address.
pub(super) fn form(fields: &Fields, failure: Option<&Failure>) -> Markup {
    let chunk_days = match fields.text("chunk_days") {
        "" => CHUNK_DAYS.to_string(),
        text => text.to_owned(),
    };
    html! {
        section aria-label="Days" {
            form method="get" action="/backfill" {
                @if let Some(failure) = failure { div role="alert" { (failure.explained()) } }
                p.note {
                    "A backfill runs past days in chunks, the oldest first, one run after the other. First see which \
                     company-days it would change; nothing is changed by looking."
                }
                div.row {
                    label { "From day" input type="date" name="from" required value=(fields.text("from")); }
                    label { "To day" input type="date" name="to" required value=(fields.text("to")); }
                    label { "Days per run" input type="number" min="1" name="chunk_days" value=(chunk_days); }
                    button type="submit" { "Preview" }
                }
                (form::tick(fields, "force", None, "Run all days, also those that are published already"))
                (form::far_days(fields, None))
            }
        }
    }
}

/// The form that starts the backfill as it was previewed.
pub(super) fn confirmation(
    request: &BackfillRequest,
    preview: Option<&Result<Preview, Failure>>,
    form_token: &str,
) -> Markup {
    let words = match preview {
        Some(Ok(preview)) if preview.to_run == 0 => return html! {},
        Some(Err(failure)) if !may_start_without(failure) => return html! {},
        Some(Err(_)) => "What would change is not known. The backfill can be started all the same.",
        _ => {
            "It goes on while this console runs, whether or not somebody looks. It stops at a run that fails."
        }
    };
    html! {
        section.action aria-labelledby="confirm" {
            h2 #confirm { "Start the backfill" }
            p { (words) }
            (start_button(request, "Start the backfill", form_token))
            (command(&CommandLine::backfill(request)))
        }
    }
}

/// A form of one button, which starts a backfill.
pub(super) fn start_button(request: &BackfillRequest, words: &str, form_token: &str) -> Markup {
    let window = request.window.clone().unwrap_or_default();
    html! {
        form method="post" action="/backfill" {
            (form::token(form_token))
            input type="hidden" name="from" value=(window.start_date);
            input type="hidden" name="to" value=(window.end_date);
            input type="hidden" name="chunk_days" value=(request.chunk_days);
            @if request.force { input type="hidden" name="force" value="yes"; }
            @if request.beyond_reach { input type="hidden" name="beyond_reach" value="yes"; }
            p { button type="submit" { (words) } }
        }
    }
}

/// Whether the preview is what is wrong, rather than the days.
fn may_start_without(failure: &Failure) -> bool {
    !matches!(failure.status(), StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED)
}
