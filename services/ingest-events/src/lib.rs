//! `act_copy_events`: event files to `fact_events`, and their daily sums to
//! `agg_company_daily_events`.
//!
//! An optional source: no stage of the built-in pipeline reads it. Every
//! `*.ndjson` below the events' folder is read once, line by line, so memory does
//! not grow with it.
//!
//! - A bad *record* is quarantined; the file is loaded without it.
//! - A bad *file*, one without a single valid record, is refused as a whole. The
//!   other files are loaded, then the stage fails and names each bad file.
//! - A file whose content is already loaded is not read again.

mod config;
mod copy_events;
mod event_record;
mod event_rows;

use std::sync::Arc;

use anyhow::Context as _;
use domain::RejectionLimit;
use file_ingest::FileStage;
use landing::Storage;
use runtime::Service;
use warehouse::EventStaging;

pub use config::{Args, Options};

use crate::copy_events::CopyEvents;

/// The service's name in pipeline files.
pub const NAME: &str = "ingest-events";

/// Opens the warehouse and assembles the service.
///
/// # Errors
/// If the warehouse cannot be opened, or as [`assemble`].
pub async fn start(args: Args, context: runtime::Context) -> anyhow::Result<Service> {
    let warehouse =
        warehouse::open(&args.warehouse.warehouse_url).await.context("cannot open the warehouse")?;
    context.audit_in(warehouse.clone());
    assemble(args.options, warehouse, &context)
}

/// Assembles the service on an open warehouse.
///
/// # Errors
/// If there is no events URL or it cannot be used.
pub fn assemble(
    options: Options,
    staging: Arc<dyn EventStaging>,
    context: &runtime::Context,
) -> anyhow::Result<Service> {
    let url = options
        .events_url
        .context("it is not known where event files are: set --events-url or EVENTS_URL")?;
    let stage = FileStage {
        storage: Storage::open(&url).context("--events-url cannot be used")?,
        completion: staging.clone(),
        clock: Arc::clone(&context.clock),
        max_file_bytes: options.events_max_file_bytes,
        loader: CopyEvents {
            staging,
            limit: RejectionLimit { max_share: options.events_max_rejected_share },
        },
    };
    Ok(Service::new(NAME).with_stages(stage, context))
}
