//! The console's own flags.

use runtime::ClientArgs;

use crate::backend::Backend;

/// How the console works, wherever it runs.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Options {}

/// The arguments of the stand-alone console.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    /// Where the coordinator serves
    #[arg(long, env = "COORDINATOR_URL", value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub coordinator_url: String,

    /// Where company activity is served
    #[arg(long, env = "ACTIVITY_URL", value_name = "URL", default_value = "http://127.0.0.1:50051")]
    pub activity_url: String,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub client: ClientArgs,
}

impl Args {
    /// Channels to the services.
    ///
    /// # Errors
    /// If a URL or a certificate cannot be used.
    pub fn backend(&self) -> anyhow::Result<Backend> {
        let connector = self.client.connector()?;
        Ok(Backend {
            coordinator: connector.connect(&self.coordinator_url)?,
            activity: connector.connect(&self.activity_url)?,
        })
    }
}
