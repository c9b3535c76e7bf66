//! The server's side.

use std::{path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use clap::ValueEnum;
use futures::Stream;
use rustls::{
    ServerConfig,
    crypto::CryptoProvider,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    HTTP1, HTTP2,
    expiry::Validity,
    files::{Pem, Reader, Role},
    incoming::{HandshakeLimits, TlsIncoming},
    live::{Live, Loaded, Reload, Source},
    load_error::LoadError,
    provider,
};

/// Whether a client has to show a certificate. One that is shown is always verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ClientAuth {
    /// Refuse clients without a certificate
    #[default]
    Required,
    /// Admit clients without a certificate, which may show who they are by other means
    Optional,
}

/// How clients' certificates are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientVerification {
    /// PEM file of the CAs that sign clients' certificates.
    pub ca: PathBuf,
    /// Whether clients have to show one.
    pub auth: ClientAuth,
}

/// The files of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTlsFiles {
    /// PEM file of the certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// PEM file of the certificate's key.
    pub key: PathBuf,
    /// How to verify clients' certificates; `None` to ask for none.
    pub clients: Option<ClientVerification>,
}

/// The TLS of a server, which follows its files.
#[derive(Debug, Clone)]
pub struct ServerTls {
    live: Arc<Live<ServerTlsFiles>>,
    is_for_browsers: bool,
}

impl ServerTls {
    /// Loads `files`. Certificates are checked by `clock`.
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(files: ServerTlsFiles, clock: Arc<dyn TimeProvider>) -> Result<Self, LoadError> {
        Ok(Self { live: Live::load(files, clock)?, is_for_browsers: false })
    }

    /// The same for browsers, which may speak HTTP/1 as well.
    #[must_use]
    pub fn for_browsers(self) -> Self {
        Self { is_for_browsers: true, ..self }
    }

    /// Looks at the files, and uses them for new handshakes if they have changed. Logs what
    /// has changed, and warns of a certificate that is about to expire. Blocks for a moment.
    pub fn reload(&self) -> Reload {
        self.live.reload()
    }

    /// Reloads every `interval` until `shutdown`.
    pub fn watch(
        self,
        interval: Duration,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.live.watch(interval, shutdown)
    }

    /// When the certificate in use, or one of its intermediates, expires. `None` if that
    /// cannot be read from it.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.live.expires_at()
    }

    /// Shakes hands over `sockets`, which carry their own TCP options.
    pub fn incoming<S>(&self, sockets: S, limits: HandshakeLimits) -> TlsIncoming<S>
    where
        S: Stream<Item = std::io::Result<TcpStream>> + Unpin,
    {
        TlsIncoming::new(sockets, self.clone(), limits)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let config = self.live.config();
        if !self.is_for_browsers {
            return TlsAcceptor::from(config);
        }
        let mut config = ServerConfig::clone(&config);
        config.alpn_protocols.push(HTTP1.to_vec());
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What the files hold.
pub(crate) struct ServerContents {
    certificate: Pem,
    key: Pem,
    client_ca: Option<Pem>,
}

impl Source for ServerTlsFiles {
    type Contents = ServerContents;
    type Config = ServerConfig;

    const WHOSE: &'static str = "server";

    fn read(&self, reader: &mut Reader) -> Result<ServerContents, LoadError> {
        Ok(ServerContents {
            certificate: reader.read(Role::Certificate, &self.certificate)?,
            key: reader.read(Role::Key, &self.key)?,
            client_ca: match &self.clients {
                Some(clients) => Some(reader.read(Role::Authority, &clients.ca)?),
                None => None,
            },
        })
    }

    fn build(
        &self,
        contents: &ServerContents,
        clock: &Arc<dyn TimeProvider>,
    ) -> Result<Loaded<ServerConfig>, LoadError> {
        let provider = provider();
        let identity = certified_key(&contents.certificate, &contents.key, &provider)?;
        let validity = Validity::of(&identity.cert);
        // TLS 1.2 and 1.3: rustls knows no older version.
        let builder = ServerConfig::builder_with_details(provider.clone(), clock.clone())
            .with_safe_default_protocol_versions()?;
        let builder = match (&self.clients, &contents.client_ca) {
            (Some(clients), Some(ca)) => {
                let roots = Arc::new(ca.authorities()?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match clients.auth {
                    ClientAuth::Required => verifier,
                    ClientAuth::Optional => verifier.allow_unauthenticated(),
                };
                let verifier =
                    verifier.build().map_err(|_| LoadError::NoCertificate { file: ca.file().clone() })?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity)));
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A resumed session would not be checked against the CAs and the time of today.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Loaded { config: Arc::new(config), validity })
    }
}

/// A certificate chain with its key.
pub(crate) fn certified_key(
    certificate: &Pem,
    key: &Pem,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, LoadError> {
    let chain = certificate.certificates()?;
    let bad_key = |_| LoadError::BadKey { file: key.file().clone() };
    let private_key = provider.key_provider.load_private_key(key.key()?).map_err(bad_key)?;
    let identity = CertifiedKey::new(chain, private_key);
    match identity.keys_match() {
        Ok(()) => Ok(identity),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(LoadError::KeyMismatch { certificate: certificate.file().clone(), key: key.file().clone() })
        }
        Err(_) => Err(LoadError::BadCertificate { file: certificate.file().clone() }),
    }
}
