//! `df_build_fact_company_activity` builds candidates that no reader sees;
//! `act_validate_row_counts` audits them and publishes them in one transaction.

mod config;
mod error;
mod policy;
mod stage;

use std::sync::Arc;

use runtime::{Context, Service};
use warehouse::FactBuilder;

pub use config::{Args, Options};
pub use error::Error;
pub use policy::read_policy;

use crate::stage::FactStages;

/// Starts the stand-alone service.
///
/// # Errors
/// If the warehouse cannot be opened, or as [`assemble`].
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let warehouse = warehouse::open(&args.warehouse.warehouse_url).await?;
    assemble(args.options, warehouse, &context)
}

/// Assembles the service over an open warehouse.
///
/// # Errors
/// If the audit file cannot be read or is invalid.
pub fn assemble(
    options: Options,
    warehouse: Arc<dyn FactBuilder>,
    context: &Context,
) -> anyhow::Result<Service> {
    let policy = read_policy(options.audit_file.as_deref())?;
    let stages = FactStages { warehouse, policy, clock: Arc::clone(&context.clock) };
    Ok(Service::new("transform").with_stages(stages, context))
}
