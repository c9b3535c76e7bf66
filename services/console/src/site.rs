//! Which address shows what.

use std::sync::Arc;

use axum::{Router, routing::get};
use runtime::{Clock, Context, Served, Site};

use crate::{
    assets,
    backend::Backend,
    config::Options,
    door::{self, Door},
    failure::Failure,
    pages,
};

/// What every page works with.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) backend: Backend,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) door: Door,
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
    let door = Door::new(options, backend.clone(), context.clock.clone(), served)?;
    let console = Console { backend, clock: context.clock.clone(), door };
    let pages = Router::new()
        .route("/", get(pages::overview::show))
        .merge(assets::routes())
        .fallback(async || Failure::NotFound("There is no such page.".to_owned()));
    Ok(door::before(pages, &console).with_state(console))
}
