//! The client's side.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use rustls::{
    ClientConfig, RootCertStore, SignatureScheme,
    client::{ResolvesClientCert, Resumption},
    pki_types::ServerName,
    sign::CertifiedKey,
    time_provider::TimeProvider,
};
use tokio_util::sync::CancellationToken;

use crate::{
    HTTP2,
    connector::{ConnectOptions, TlsConnector},
    expiry::Validity,
    files::{Pem, Reader, Role},
    live::{Live, Loaded, Reload, Source},
    load_error::LoadError,
    provider,
    server::certified_key,
};

/// What a client shows to servers that ask who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM file of the certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// PEM file of the certificate's key.
    pub key: PathBuf,
}

/// The files of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTlsFiles {
    /// PEM file of the CAs that sign servers' certificates; `None` for the system's, which
    /// are read when a file changes, but not watched.
    pub ca: Option<PathBuf>,
    /// The client's own certificate, if it has one.
    pub identity: Option<Identity>,
    /// The name that servers' certificates must have, if it is not the URL's host.
    pub server_name: Option<String>,
}

/// The TLS of a client, which follows its files.
#[derive(Debug, Clone)]
pub struct ClientTls(Arc<Live<ClientTlsFiles>>);

impl ClientTls {
    /// Loads `files`. Certificates are checked by `clock`.
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(files: ClientTlsFiles, clock: Arc<dyn TimeProvider>) -> Result<Self, LoadError> {
        Live::load(files, clock).map(Self)
    }

    /// Looks at the files, and uses them for new handshakes if they have changed. Logs what
    /// has changed, and warns of a certificate that is about to expire. Blocks for a moment.
    pub fn reload(&self) -> Reload {
        self.0.reload()
    }

    /// Reloads every `interval` until `shutdown`.
    pub fn watch(
        self,
        interval: Duration,
        shutdown: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.0.watch(interval, shutdown)
    }

    /// When the client's own certificate, or one of its intermediates, expires. `None` if it
    /// has none.
    pub fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at()
    }

    /// Connects endpoints with an `https://` URL, for `connect_with_connector` and
    /// `connect_with_connector_lazy`.
    pub fn connector(&self, options: &ConnectOptions) -> TlsConnector {
        TlsConnector::new(self.clone(), options)
    }

    /// What a new handshake uses.
    pub(crate) fn settings(&self) -> Arc<ClientSettings> {
        self.0.config()
    }
}

/// What every handshake of a client has in common.
pub(crate) struct ClientSettings {
    config: ClientConfig,
    identity: Option<Arc<CertifiedKey>>,
    /// The name to verify instead of the URL's host.
    pub(crate) server_name: Option<ServerName<'static>>,
}

impl ClientSettings {
    /// The configuration of one handshake, and whether its server has asked for a
    /// certificate.
    pub(crate) fn for_one_handshake(&self) -> (Arc<ClientConfig>, Arc<Asked>) {
        let asked = Arc::new(Asked { asked: AtomicBool::new(false), identity: self.identity.clone() });
        let mut config = self.config.clone();
        config.client_auth_cert_resolver = asked.clone();
        (Arc::new(config), asked)
    }
}

/// Shows the client's certificate, and remembers that it was asked for.
#[derive(Debug)]
pub(crate) struct Asked {
    asked: AtomicBool,
    identity: Option<Arc<CertifiedKey>>,
}

impl Asked {
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.identity.clone()
    }

    // Otherwise rustls would not ask.
    fn has_certs(&self) -> bool {
        true
    }
}

/// What the files hold.
pub(crate) struct ClientContents {
    ca: Option<Pem>,
    identity: Option<(Pem, Pem)>,
}

impl Source for ClientTlsFiles {
    type Contents = ClientContents;
    type Config = ClientSettings;

    const WHOSE: &'static str = "client";

    fn read(&self, reader: &mut Reader) -> Result<ClientContents, LoadError> {
        Ok(ClientContents {
            ca: match &self.ca {
                Some(path) => Some(reader.read(Role::Authority, path)?),
                None => None,
            },
            identity: match &self.identity {
                Some(Identity { certificate, key }) => {
                    Some((reader.read(Role::Certificate, certificate)?, reader.read(Role::Key, key)?))
                }
                None => None,
            },
        })
    }

    fn build(
        &self,
        contents: &ClientContents,
        clock: &Arc<dyn TimeProvider>,
    ) -> Result<Loaded<ClientSettings>, LoadError> {
        let provider = provider();
        let roots = match &contents.ca {
            Some(ca) => ca.authorities()?,
            None => system_authorities()?,
        };
        let identity = match &contents.identity {
            Some((certificate, key)) => Some(certified_key(certificate, key, &provider)?),
            None => None,
        };
        let validity = identity.as_ref().and_then(|identity| Validity::of(&identity.cert));
        // TLS 1.2 and 1.3: rustls knows no older version.
        let mut config = ClientConfig::builder_with_details(provider, clock.clone())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        // A resumed session would not check the server's certificate again.
        config.resumption = Resumption::disabled();
        let server_name = match &self.server_name {
            Some(name) => Some(server_name(name)?),
            None => None,
        };
        let settings = ClientSettings { config, identity: identity.map(Arc::new), server_name };
        Ok(Loaded { config: Arc::new(settings), validity })
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, LoadError> {
    ServerName::try_from(name.to_owned()).map_err(|_| LoadError::BadServerName { name: name.to_owned() })
}

fn system_authorities() -> Result<RootCertStore, LoadError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's store may hold old certificates that rustls cannot read.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let reason = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(LoadError::NoSystemAuthorities { reason });
    }
    Ok(roots)
}
