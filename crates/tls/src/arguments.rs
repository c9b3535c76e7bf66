//! The arguments of servers and clients.

use std::path::PathBuf;

use clap::Args;

use crate::{
    client::{ClientTlsFiles, Identity},
    server::{ClientAuth, ClientVerification, ServerTlsFiles},
};

/// How to serve gRPC with TLS.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct ServerTlsArgs {
    /// Serve gRPC with TLS, and this certificate: a PEM file, with the intermediates after
    /// the certificate. It and the files below are read again when they change
    /// [default: none, plain text]
    #[arg(long, env = "TLS_CERT_FILE", value_name = "FILE", requires = "tls_key_file")]
    pub tls_cert_file: Option<PathBuf>,

    /// The private key of --tls-cert-file: a PEM file, not encrypted
    #[arg(long, env = "TLS_KEY_FILE", value_name = "FILE", requires = "tls_cert_file")]
    pub tls_key_file: Option<PathBuf>,

    /// Verify the certificates of clients by these CAs: a PEM file
    /// [default: none, clients are not asked for a certificate]
    #[arg(long, env = "TLS_CLIENT_CA_FILE", value_name = "FILE", requires = "tls_cert_file")]
    pub tls_client_ca_file: Option<PathBuf>,

    /// Whether clients have to show a certificate; one that is shown is always verified
    /// [default: required]
    #[arg(long, env = "TLS_CLIENT_AUTH", value_name = "WHEN", value_enum, requires = "tls_client_ca_file")]
    pub tls_client_auth: Option<ClientAuth>,
}

impl ServerTlsArgs {
    /// The files to serve with; `None` for plain text.
    #[must_use]
    pub fn files(self) -> Option<ServerTlsFiles> {
        let auth = self.tls_client_auth.unwrap_or_default();
        Some(ServerTlsFiles {
            certificate: self.tls_cert_file?,
            key: self.tls_key_file?,
            clients: self.tls_client_ca_file.map(|ca| ClientVerification { ca, auth }),
        })
    }
}

/// How to call services at https:// URLs.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct ClientTlsArgs {
    /// Trust services at https:// URLs whose certificates these CAs have signed: a PEM file.
    /// It and the files below are read again when they change [default: the system's CAs]
    #[arg(long, env = "TLS_CA_FILE", value_name = "FILE")]
    pub tls_ca_file: Option<PathBuf>,

    /// Certificate to show to services that ask for one: a PEM file, with the intermediates
    /// after the certificate [default: none]
    #[arg(long, env = "TLS_CLIENT_CERT_FILE", value_name = "FILE", requires = "tls_client_key_file")]
    pub tls_client_cert_file: Option<PathBuf>,

    /// The private key of --tls-client-cert-file: a PEM file, not encrypted
    #[arg(long, env = "TLS_CLIENT_KEY_FILE", value_name = "FILE", requires = "tls_client_cert_file")]
    pub tls_client_key_file: Option<PathBuf>,

    /// Name that the certificates of services must have, where the host of the URL is
    /// another, as with port forwarding [default: the URL's host]
    #[arg(long, env = "TLS_SERVER_NAME", value_name = "NAME")]
    pub tls_server_name: Option<String>,
}

impl ClientTlsArgs {
    /// The files to call with.
    #[must_use]
    pub fn files(self) -> ClientTlsFiles {
        let pair = self.tls_client_cert_file.zip(self.tls_client_key_file);
        ClientTlsFiles {
            ca: self.tls_ca_file,
            identity: pair.map(|(certificate, key)| Identity { certificate, key }),
            server_name: self.tls_server_name,
        }
    }
}
