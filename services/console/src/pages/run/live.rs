//! The part of the page that moves, drawn once for all who look: nothing in it depends on whom.

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use maud::{Markup, html};
use presentation::run_end::has_ended;
use proto::pipeline::v1::{GetRunRequest, Run};

use super::{errors, gantt, head, stages};
use crate::{
    door::Entry,
    failure::Failure,
    html::address,
    live::{Viewer, stream},
    site::Console,
    visitor::Visitor,
};

/// `GET /runs/{run_id}/live`
pub(crate) async fn follow(
    State(console): State<Console>,
    visitor: Visitor,
    Extension(entry): Extension<Entry>,
    Path(run_id): Path<String>,
) -> Result<Response, Failure> {
    // Each viewer shows that they may look before they share what another one has asked for.
    read(&visitor, &run_id).await?;
    let seat = console.seats.take(entry.whose())?;
    let states = console.live.join(&run_id, &visitor.services);
    let shutdown = console.shutdown.clone();
    let may_look = move || {
        // Kept as long as the stream is.
        let _seat = &seat;
        let (console, entry, run_id) = (console.clone(), entry.clone(), run_id.clone());
        async move {
            let visitor = console.door.visitor_still(&entry).await;
            matches!(visitor, Ok(visitor) if read(&visitor, &run_id).await.is_ok())
        }
        .boxed()
    };
    Ok(stream(Viewer { states, may_look: Box::new(may_look), shutdown }))
}

async fn read(visitor: &Visitor, run_id: &str) -> Result<(), Failure> {
    visitor.services.pipeline().get_run(GetRunRequest { run_id: run_id.to_owned() }).await?;
    Ok(())
}

/// The moving part with what makes it move.
pub(crate) fn part(run: &Run, now: DateTime<Utc>) -> Markup {
    let live = (!has_ended(run)).then(|| format!("{}/live", address::run(&run.run_id)));
    html! { div #live data-live=[live] { (content(run, now)) } }
}

/// What is in it.
pub(crate) fn content(run: &Run, now: DateTime<Utc>) -> Markup {
    html! {
        (head::head(run, now))
        (errors::view(run))
        section aria-labelledby="timeline" {
            h2 #timeline { "Timeline" }
            (gantt::view(run, now))
        }
        section aria-labelledby="stages" {
            h2 #stages { "Stages" }
            (stages::view(run, now))
        }
    }
}
