//! The arguments of whoever calls services.

use access::CredentialArgs;
use clap::Args;
use tls::ClientTlsArgs;

use crate::connector::Connector;

/// How to call services: over TLS, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct ClientArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub tls: ClientTlsArgs,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub credential: CredentialArgs,
}

impl ClientArgs {
    /// What connects as the arguments say. Reads the token; certificates are read for the
    /// first `https://` URL.
    ///
    /// # Errors
    /// If the token file cannot be used.
    pub fn connector(&self) -> anyhow::Result<Connector> {
        let token = self.credential.bearer_token()?;
        let is_token_exposed = self.credential.token_over_plain_text;
        Ok(Connector::new(self.tls.clone().files(), token, is_token_exposed))
    }
}
