//! The console's own flags.

use runtime::ClientArgs;

use crate::{
    backend::Backend,
    door::{ProviderOptions, PublicUrl},
};

/// How the console works, wherever it runs.
#[derive(Debug, Clone, Default, clap::Args)]
#[group(skip)]
pub struct Options {
    /// The address that visitors type, for example https://console.example.com: the console answers to it and to
    /// loopback addresses alone, and the provider sends visitors back to it [default: loopback alone]
    #[arg(long = "console-public-url", alias = "public-url", env = "CONSOLE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<PublicUrl>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub provider: ProviderOptions,
}

/// The arguments of the stand-alone console.
#[derive(Debug, Clone, clap::Args)]
#[command(
    mut_arg("token_file", |arg| arg.hide(true)),
    mut_arg("token_over_plain_text", |arg| arg.help("Send visitors' tokens also to other hosts at http:// URLs, \
        where whoever can read the network can reuse them: for networks that encrypt by themselves, as a service \
        mesh does. Without this flag nobody can sign in unless services are at https:// URLs or on loopback")
        .long_help(None)),
)]
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
        anyhow::ensure!(
            self.client.credential.token_file.is_none(),
            "the console has no token of its own: it shows services those of its visitors. Leave --token-file \
             (TOKEN_FILE) out"
        );
        let connector = self.client.connector()?;
        Ok(Backend {
            coordinator: connector.connect(&self.coordinator_url)?,
            activity: connector.connect(&self.activity_url)?,
        })
    }
}
