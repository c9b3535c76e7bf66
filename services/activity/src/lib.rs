//! The read side: company activity over gRPC, from published data only.
//!
//! Where the contract leaves a choice, the service decides:
//!
//! - An empty day means the newest published day. While nothing is published,
//!   a single row is `NOT_FOUND`, and lists, exports and churn risks are empty.
//! - A page token records the days its first page covered, so that a publish in
//!   between does not move later pages to other days. It is valid only for the
//!   call and the fields it was issued for; only `page_size` may change.
//! - A page token also records which rows its first page was read from. If a publish has
//!   changed rows of the covered days since, the next page is `ABORTED`: together the
//!   pages would be no list of any state.
//! - A search counts its companies once: the total is in the page token, because all pages
//!   are of the same rows.
//! - An export always sends at least one message, so that the publication
//!   reaches the caller even when there are no rows.
//! - An export whose reader stalls ends with `DEADLINE_EXCEEDED`: otherwise it
//!   would keep its connection from others.

mod config;
mod convert;
mod convert_overview;
mod error;
mod export;
mod overview;
mod overview_request;
mod page_token;
mod queries;
mod request;
mod request_fields;
mod service;
#[cfg(test)]
mod test_rows;

pub use config::{Args, Options};

use std::sync::Arc;

use anyhow::Context as _;
use proto::{
    activity::v1::company_activity_service_server::CompanyActivityServiceServer, bounds::MAX_REQUEST_BYTES,
};
use runtime::{Context, Service};
use warehouse::OverviewReader;

use crate::{queries::Queries, service::ActivityService};

/// Starts the stand-alone service and opens its warehouse.
///
/// # Errors
/// If the warehouse cannot be opened.
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let warehouse = warehouse::open_to_read(&args.warehouse.warehouse_url)
        .await
        .context("cannot open --warehouse-url")?;
    context.audit_in(warehouse.clone());
    Ok(assemble(&args.options, warehouse, &context))
}

/// Assembles the service over a warehouse that is already open, of which it can do nothing
/// but read what is published.
#[must_use]
pub fn assemble(options: &Options, warehouse: Arc<dyn OverviewReader>, context: &Context) -> Service {
    let queries = Queries::new(warehouse, context.clock.clone());
    let service = ActivityService::new(queries, options.export_stall_timeout, context.hard_stop.clone());
    Service::new("activity")
        .with_grpc(CompanyActivityServiceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES))
}
