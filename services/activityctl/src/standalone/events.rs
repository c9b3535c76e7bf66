//! Events: the optional source of a suite.

use std::sync::Arc;

use anyhow::bail;
use coordinator::pipeline::Pipeline;
use domain::run::STAGE_COPY_EVENTS;
use runtime::{Context, Service};
use tracing::warn;
use warehouse::EventStaging;

/// The service that copies events, if their location is set.
///
/// # Errors
/// If it is not set and the pipeline needs it, or the location cannot be used.
pub(super) fn assemble(
    options: ingest_events::Options,
    pipeline: &Pipeline,
    staging: Arc<dyn EventStaging>,
    context: &Context,
) -> anyhow::Result<Option<Service>> {
    let service = ingest_events::NAME;
    let stage = pipeline.stages.iter().find(|stage| stage.service == service);
    match (&options.events_url, stage) {
        (None, None) => return Ok(None),
        (None, Some(stage)) => bail!(
            "the pipeline has the stage {}, but it is not known where event files are: set --events-url or \
             EVENTS_URL, or take the stage out of the pipeline file",
            stage.name
        ),
        (Some(_), Some(_)) => {}
        (Some(_), None) => warn!(
            "--events-url is given, but no event is copied: the pipeline has no stage {STAGE_COPY_EVENTS} of \
             the service {service}; name it in the file of --pipeline-file"
        ),
    }
    ingest_events::assemble(options, staging, context).map(Some)
}
