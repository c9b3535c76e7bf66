//! Which address shows what.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use runtime::{Clock, Context};

use crate::{assets, backend::Backend, config::Options, failure::Failure, pages};

/// What every page works with.
#[derive(Clone)]
pub(crate) struct Console {
    pub(crate) backend: Backend,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The whole site.
///
/// # Errors
/// If the options cannot be used.
pub fn assemble(_options: &Options, backend: Backend, context: &Context) -> anyhow::Result<Router> {
    let console = Console { backend, clock: context.clock.clone() };
    Ok(Router::new()
        .route("/", get(pages::overview::show))
        .route("/churn", get(pages::churn::show))
        .route("/churn.csv", get(pages::churn::download))
        .route("/days/{date}", get(pages::day::show))
        .route("/days/{date}/reconcile", post(pages::day::reconcile))
        .route("/companies", get(pages::companies::show))
        .route("/quality", get(pages::quality::show))
        .route("/companies/{company_id}", get(pages::company::show))
        .merge(assets::routes())
        .fallback(async || Failure::NotFound("There is no such page.".to_owned()))
        .with_state(console))
}
