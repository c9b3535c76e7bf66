//! The console: the pipeline and the companies in a browser.
//!
//! It knows nothing but the gRPC contracts, and calls services with the credential of whoever
//! looks: it can show and do what that person could without it, and nothing else. Pages are
//! rendered here and can be read without JavaScript.

mod assets;
mod backend;
mod backfills;
mod config;
mod door;
mod failure;
mod fields;
mod html;
mod live;
mod pages;
#[cfg(test)]
mod scripted;
mod site;
mod visitor;

pub use backend::Backend;
pub use config::{Args, Options};
pub use door::{ProviderOptions, PublicUrl};
pub use site::{assemble, site};

use runtime::{Context, Service};

/// Starts the stand-alone service.
///
/// # Errors
/// If a service's URL, the credentials or the provider's settings cannot be used.
#[expect(clippy::unused_async, reason = "other services open a warehouse")]
pub async fn start(args: Args, context: Context) -> anyhow::Result<Service> {
    let connector = args.connector()?;
    let backend = args.backend(&connector)?;
    let following = connector.follow_files(context.shutdown.clone());
    Ok(Service::new("console")
        .with_background("the TLS files of calls", async move {
            following.await;
            Ok(())
        })
        .with_site(site(args.options, backend, context)))
}
