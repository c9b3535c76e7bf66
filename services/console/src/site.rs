//! Which address shows what.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use runtime::{Clock, Context, Served, Site};
use tokio_util::sync::CancellationToken;

use crate::{
    assets,
    backend::Backend,
    backfills::Backfills,
    config::Options,
    door::{self, Door},
    failure::Failure,
    live::{Hub, Seats},
    pages,
};

/// What every page works with.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) door: Door,
    /// The runs that somebody looks at.
    pub(crate) live: Hub,
    /// How many look at once.
    pub(crate) seats: Seats,
    /// The backfills that were started here.
    pub(crate) backfills: Backfills,
    /// Cancelled when streams have to end.
    pub(crate) shutdown: CancellationToken,
}

impl Console {
    /// A console at which nobody looks yet.
    pub(crate) fn new(door: Door, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Self {
        Self {
            door,
            clock: clock.clone(),
            live: Hub::new(clock.clone(), shutdown.clone(), pages::run::content),
            seats: Seats::default(),
            backfills: Backfills::new(clock, shutdown.clone()),
            shutdown,
        }
    }
}

/// The whole site, to be served by a server.
#[must_use]
pub fn site(options: Options, backend: Backend, context: Context) -> Site {
    Site::new(move |served| assemble(&options, backend, &context, served))
}

/// The pages of the site, as they are served.
///
/// # Errors
/// If the options cannot be used.
pub fn assemble(
    options: &Options,
    backend: Backend,
    context: &Context,
    served: Served,
) -> anyhow::Result<Router> {
    let door = Door::new(options, backend, context.clock.clone(), served)?;
    let console = Console::new(door, context.clock.clone(), context.shutdown.clone());
    tokio::spawn(console.door.clone().sweep(console.shutdown.clone()));
    let pages = Router::new()
        .route("/", get(pages::overview::show))
        .route("/churn", get(pages::churn::show))
        .route("/churn.csv", get(pages::churn::download))
        .route("/days/{date}", get(pages::day::show))
        .route("/days/{date}/reconcile", post(pages::day::reconcile))
        .route("/companies", get(pages::companies::show))
        .route("/companies/{company_id}", get(pages::company::show))
        .route("/quality", get(pages::quality::show))
        .route("/runs", get(pages::runs::show).post(pages::runs::trigger))
        .route("/runs/{run_id}", get(pages::run::show))
        .route("/runs/{run_id}/live", get(pages::run::follow))
        .route("/runs/{run_id}/retry", post(pages::run::retry))
        .route("/runs/{run_id}/cancel", post(pages::run::cancel))
        .route("/backfill", get(pages::backfill::show).post(pages::backfill::start))
        .route("/backfill/{id}", get(pages::backfill::follow))
        .route("/backfill/{id}/stop", post(pages::backfill::stop))
        .merge(assets::routes())
        .fallback(async || Failure::NotFound("There is no such page.".to_owned()));
    Ok(door::before(pages, &console).with_state(console))
}
