//! `act_call_product_api`: pages through the product API day by day, lands the
//! raw records as NDJSON, and loads them into `stg_product_usage`.
//!
//! Also reconciles published numbers with the product API, and previews
//! backfills, because all of it calls the API under the same rules; and explains
//! company-days, because it can read what it landed, and says where staged data comes from.

mod answer;
mod answer_options;
mod api;
mod config;
mod credentials;
mod crm_message;
mod day_reader;
mod day_spans;
mod difference;
mod error;
mod explain;
mod explain_message;
mod fetch_ahead;
mod field_names;
mod inspect;
mod json_object;
mod landed_answer;
mod landed_lines;
mod landed_words;
mod pace;
mod page;
mod page_signs;
mod pages_ahead;
mod paging;
mod paging_limits;
mod plan;
mod preview;
mod preview_message;
mod progress;
mod provenance;
mod provenance_message;
mod reconcile;
mod reconcile_message;
mod record;
mod request_spans;
mod retry;
mod sample;
mod service;
mod stage;
#[cfg(test)]
mod tests;
mod usage_file;

use std::sync::Arc;

use anyhow::Context as _;
use landing::Storage;
use proto::{
    bounds::MAX_REQUEST_BYTES, provenance::v1::provenance_service_server::ProvenanceServiceServer,
    reconciliation::v1::reconciliation_service_server::ReconciliationServiceServer,
};
use runtime::{Context, HistoryOptions, Service};
use warehouse::{BackfillPreview, ProvenanceReader, ReconciliationReader, SharedWarehouse, UsageStaging};

pub use answer_options::AnswerOptions;
pub use config::{Args, LandingArgs, Options};
pub use error::Error;
pub use field_names::{FieldName, InvalidFieldName};
pub use inspect::{ApiInspection, SampleUsage, inspect};
pub use page::PageRef;
pub use usage_file::{LANDED_FOLDER, landed_day};

use crate::{
    api::ProductApi, explain::Explainer, plan::FetchPlan, preview::Previewer, provenance::ProvenanceHost,
    reconcile::Reconciler, service::ReconciliationHost, stage::ProductApiStage,
};

/// Starts the stand-alone service.
///
/// # Errors
/// If the warehouse cannot be opened, or as [`assemble`].
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let warehouse = warehouse::open(&args.warehouse.warehouse_url).await?;
    context.audit_in(warehouse.clone());
    assemble(args.options, args.history, warehouse.into(), &context)
}

/// What the service does with the warehouse: it stages usage, tries out backfills, and reads
/// what is held of a day, and where that comes from.
#[derive(Clone)]
pub struct Stores {
    /// Where days of usage are staged.
    pub staging: Arc<dyn UsageStaging>,
    /// Computes what a backfill would change.
    pub previews: Arc<dyn BackfillPreview>,
    /// What is published of a day, and what it was computed from.
    pub held: Arc<dyn ReconciliationReader>,
    /// Where that comes from.
    pub provenance: Arc<dyn ProvenanceReader>,
}

impl From<SharedWarehouse> for Stores {
    fn from(warehouse: SharedWarehouse) -> Self {
        Self {
            staging: warehouse.clone(),
            previews: warehouse.clone(),
            held: warehouse.clone(),
            provenance: warehouse,
        }
    }
}

/// Assembles the service over an open warehouse.
///
/// # Errors
/// If a location is missing or invalid.
pub fn assemble(
    options: Options,
    history: HistoryOptions,
    stores: Stores,
    context: &Context,
) -> anyhow::Result<Service> {
    let landing_url = options.landing.landing_url.as_deref().context("--landing-url is missing")?;
    let storage = Storage::open(landing_url).context("--landing-url cannot be used")?;
    let api = ProductApi::new(&options, Arc::clone(&context.clock))?;
    let plan = FetchPlan { repoll_days: options.repoll_days, history_start: history.history_start };
    let concurrency = usize::from(options.product_api_concurrency);
    let previewer = Previewer {
        api: api.clone(),
        previews: stores.previews,
        staging: Arc::clone(&stores.staging),
        clock: Arc::clone(&context.clock),
        concurrency,
        plan,
        limits: options.answers.limits(false),
    };
    let provenance = ProvenanceHost { provenance: Arc::clone(&stores.provenance) };
    let explainer = Explainer {
        provenance: stores.provenance,
        storage: storage.clone(),
        reading: Arc::new(options.answers.reading()),
    };
    let reconciler = Reconciler {
        api: api.clone(),
        storage: storage.clone(),
        held: stores.held,
        clock: Arc::clone(&context.clock),
    };
    let stage = ProductApiStage {
        api,
        storage,
        staging: stores.staging,
        clock: Arc::clone(&context.clock),
        concurrency,
        plan,
        answers: options.answers,
    };
    let reconciliation = ReconciliationHost { reconciler, previewer, explainer };
    Ok(Service::new("ingest-api")
        .with_stages(stage, context)
        .with_grpc(
            ReconciliationServiceServer::new(reconciliation).max_decoding_message_size(MAX_REQUEST_BYTES),
        )
        .with_grpc(ProvenanceServiceServer::new(provenance).max_decoding_message_size(MAX_REQUEST_BYTES)))
}
