//! `act_send_failure_alert`: alerts people that a stage failed, over Slack,
//! Teams and a plain webhook.
//!
//! An alert is delivered once per `alert_key` and channel: what a channel has
//! accepted is recorded in the warehouse, and a repeated request delivers only
//! what is missing. If the process dies between a channel's answer and its
//! record, or an answer is lost, that channel receives the alert again. Each
//! request tries each channel once: only the coordinator's outbox retries, and
//! it learns how long a channel asks to wait.
//!
//! # The webhook's contract
//!
//! The plain webhook receives `POST` with `Content-Type: application/json`:
//!
//! ```json
//! {
//!   "type": "company_activity.alert.v1",
//!   "alert_key": "0199.../act_call_product_api/3",
//!   "cause": "stage_failed",
//!   "pipeline": "pl_company_activity_daily",
//!   "stage": "act_call_product_api",
//!   "error_message": "the product API answered 503 Service Unavailable",
//!   "run_id": "01990000-0000-7000-8000-000000000000",
//!   "business_date": "2026-02-13",
//!   "failed_at": "2026-02-14T06:03:07Z",
//!   "attempt": 3,
//!   "error_code": "UNAVAILABLE",
//!   "trace_url": "http://jaeger:16686/trace/0af7651916cd43dd8448eb211c80319c",
//!   "next_step": "See `activityctl runs`, then ..."
//! }
//! ```
//!
//! Every field is always present. `type`, `alert_key`, `cause`, `pipeline`,
//! `stage`, `error_message` and `next_step` are strings; the others are `null`
//! if the alert lacks them. `cause` is `stage_failed`, `deadline_without_run`,
//! `deadline_run_active` or `deadline_run_failed`. Fields may be added; a
//! change of meaning gets a new `type`. A receiver recognizes repetitions by
//! `alert_key`. Any 2xx answer accepts the alert; after 429 and 5xx the
//! coordinator has it sent again; any other answer refuses it.
//!
//! With `--webhook-secret` each request carries
//! `X-Company-Activity-Signature: t=<unix seconds>,v1=<hex>`, where `v1` is the
//! HMAC-SHA256 of `<unix seconds>.<body>` under the secret. A receiver computes
//! it over the raw body, compares in constant time, and rejects old times.

mod alert;
mod attempt;
mod config;
mod delivery;
mod endpoint;
mod error;
mod key_locks;
mod payload;
mod send_error;
mod sender;
mod service;
mod signature;

pub use alert::next_step_of;
pub use config::{Args, ConfigError, Options};

use std::sync::Arc;

use anyhow::Context as _;
use proto::{bounds::MAX_REQUEST_BYTES, notifier::v1::notifier_service_server::NotifierServiceServer};
use runtime::{Context, Service};
use tokio_util::task::TaskTracker;
use warehouse::AlertLog;

use crate::{delivery::Notifier, sender::Sender, service::NotifierGrpc};

/// Starts the stand-alone service and opens its warehouse.
///
/// # Errors
/// If the options are invalid or the warehouse cannot be opened.
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let warehouse =
        warehouse::open(&args.warehouse.warehouse_url).await.context("cannot open --warehouse-url")?;
    assemble(&args.options, warehouse, &context)
}

/// Assembles the service over a warehouse that is already open.
///
/// # Errors
/// If a webhook's URL or secret is unusable. The error never contains either.
pub fn assemble(
    options: &Options,
    warehouse: Arc<dyn AlertLog>,
    context: &Context,
) -> anyhow::Result<Service> {
    let endpoints = options.endpoints()?;
    let sender = Sender::new(options, context);
    let notifier = Notifier::new(endpoints, sender, warehouse, Arc::clone(&context.clock));
    let deliveries = TaskTracker::new();
    let service = NotifierGrpc::new(Arc::new(notifier), deliveries.clone());
    let shutdown = context.shutdown.clone();
    let finish_deliveries = async move {
        shutdown.cancelled().await;
        deliveries.close();
        deliveries.wait().await;
        Ok(())
    };
    Ok(Service::new("notifier")
        .with_grpc(NotifierServiceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES))
        .with_background("alert deliveries", finish_deliveries))
}
