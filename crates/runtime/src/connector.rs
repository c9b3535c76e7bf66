//! Connects to services over the network: with TLS or without, and as whom.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use access::BearerToken;
use anyhow::Context as _;
use futures::future::BoxFuture;
use http::Uri;
use tls::{ClientTls, ClientTlsFiles, ConnectOptions, DefaultTimeProvider, RELOAD_INTERVAL, TlsConnector};
use tokio_util::sync::CancellationToken;
use tonic::transport::{self, Endpoint};

use crate::{
    connect_problem::ConnectProblem, plain_connector::PlainConnector, rpc::Channel, server::TCP_KEEPALIVE,
};

/// How long connecting over TCP may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to services over the network. A process has one, whose clones share
/// certificates and token. The default trusts the system's CAs and sends no credential.
#[derive(Debug, Clone, Default)]
pub struct Connector(Arc<Settings>);

#[derive(Debug, Default)]
struct Settings {
    files: ClientTlsFiles,
    /// Loaded for the first `https://` URL: a process without one needs no CAs.
    tls: OnceLock<ClientTls>,
    token: Option<BearerToken>,
    is_token_exposed: bool,
}

/// A URL that may be connected to, and how.
struct Route {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    is_fit_for_tokens: bool,
    token: Option<BearerToken>,
}

impl Connector {
    /// A connector with these certificates and this token, which is sent to other hosts
    /// over plain text only if `is_token_exposed`.
    #[must_use]
    pub fn new(files: ClientTlsFiles, token: Option<BearerToken>, is_token_exposed: bool) -> Self {
        Self(Arc::new(Settings { files, tls: OnceLock::new(), token, is_token_exposed }))
    }

    /// A channel to a service at `url`, for example `http://ingest-crm:50051`. It connects
    /// on first use and reconnects whenever the connection is lost.
    ///
    /// # Errors
    /// If the URL is invalid, the token must not be sent there, or the certificates cannot
    /// be used: better now than at every call.
    pub fn connect(&self, url: &str) -> anyhow::Result<Channel> {
        let Route { endpoint, tls, is_fit_for_tokens, token } = self.route(url)?;
        let connection = match tls {
            Some(tls) => endpoint.connect_with_connector_lazy(tls),
            None => endpoint.connect_with_connector_lazy(plain()),
        };
        Ok(Channel::new(connection, endpoint.uri().clone(), is_fit_for_tokens, token))
    }

    /// A channel to a service at `url` that resolves the address and connects now. It
    /// reconnects like one from [`connect`](Self::connect).
    ///
    /// # Errors
    /// As [`connect`](Self::connect), or if connecting fails.
    pub fn connect_now<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Channel, ConnectProblem>> {
        Box::pin(async move {
            let refused = |error| ConnectProblem { message: format!("{error:#}"), is_lasting: true };
            let Route { endpoint, tls, is_fit_for_tokens, token } = self.route(url).map_err(refused)?;
            let connecting: BoxFuture<'_, Result<transport::Channel, _>> = match tls {
                Some(tls) => Box::pin(endpoint.connect_with_connector(tls)),
                None => Box::pin(endpoint.connect_with_connector(plain())),
            };
            let connection = connecting.await.map_err(|error| ConnectProblem::of(&error))?;
            Ok(Channel::new(connection, endpoint.uri().clone(), is_fit_for_tokens, token))
        })
    }

    /// Reads the certificates again whenever they change, until `shutdown`.
    pub async fn follow_files(self, shutdown: CancellationToken) {
        match self.0.tls.get() {
            Some(tls) => tls.clone().watch(RELOAD_INTERVAL, shutdown).await,
            None => shutdown.cancelled().await,
        }
    }

    fn route(&self, url: &str) -> anyhow::Result<Route> {
        let endpoint = endpoint(url)?;
        let is_encrypted = endpoint.uri().scheme_str() == Some("https");
        let is_fit_for_tokens = is_encrypted || self.0.is_token_exposed || is_loopback(endpoint.uri());
        anyhow::ensure!(
            is_fit_for_tokens || self.0.token.is_none(),
            "the token of --token-file would travel in the clear to {url}: use https://, or \
             --token-over-plain-text where the network itself encrypts"
        );
        let tls = if is_encrypted { Some(self.tls()?.connector(&connect_options())) } else { None };
        Ok(Route { endpoint, tls, is_fit_for_tokens, token: self.0.token.clone() })
    }

    fn tls(&self) -> anyhow::Result<&ClientTls> {
        if let Some(tls) = self.0.tls.get() {
            return Ok(tls);
        }
        let files = self.0.files.clone();
        let tls = ClientTls::load(files, Arc::new(DefaultTimeProvider)).context("cannot call with TLS")?;
        Ok(self.0.tls.get_or_init(|| tls))
    }
}

fn connect_options() -> ConnectOptions {
    ConnectOptions {
        connect_timeout: CONNECT_TIMEOUT,
        tcp_keepalive: TCP_KEEPALIVE,
        ..ConnectOptions::default()
    }
}

fn plain() -> PlainConnector {
    PlainConnector::new(CONNECT_TIMEOUT, TCP_KEEPALIVE)
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
}

/// The endpoint of a URL. Without its own `connect_timeout`, which would hide what the
/// connectors say about theirs.
pub(crate) fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let expected =
        || format!("{url:?} is no URL of a gRPC service: use http://host:port or https://host:port");
    let endpoint = Endpoint::from_shared(url.to_owned()).with_context(expected)?;
    // Without a scheme every call would fail.
    anyhow::ensure!(matches!(endpoint.uri().scheme_str(), Some("http" | "https")), expected());
    Ok(endpoint
        // Without these, a half-open connection hangs for a quarter of an hour.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    #[tokio::test]
    async fn a_url_that_could_never_be_connected_to_is_refused_at_once() {
        let connector = Connector::default();
        assert!(connector.connect("http://127.0.0.1:1").is_ok());
        for url in ["", "ingest-crm", "127.0.0.1:50051", "ftp://ingest-crm:50051", "not a url"] {
            let message = connector.connect(url).unwrap_err().to_string();
            assert!(message.ends_with("use http://host:port or https://host:port"), "{message}");
        }
    }

    #[tokio::test]
    async fn a_token_goes_in_the_clear_to_this_machine_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "secret").unwrap();
        let connector = |is_exposed| {
            let token = BearerToken::from_file(&file).unwrap();
            Connector::new(ClientTlsFiles::default(), Some(token), is_exposed)
        };
        for url in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"] {
            assert!(connector(false).connect(url).is_ok(), "{url}");
        }
        for url in ["http://ingest-crm:50051", "http://10.0.0.1:1", "http://localhost.example.org:1"] {
            let refusal = connector(false).connect(url).unwrap_err().to_string();
            assert!(refusal.contains("--token-over-plain-text") && refusal.contains(url), "{refusal}");
            assert!(connector(true).connect(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn certificates_are_needed_for_https_alone() {
        let files =
            ClientTlsFiles { ca: Some(PathBuf::from("/nowhere/ca.crt")), ..ClientTlsFiles::default() };
        let connector = Connector::new(files, None, false);
        assert!(connector.connect("http://ingest-crm:50051").is_ok());
        let refusal = format!("{:#}", connector.connect("https://ingest-crm:50051").unwrap_err());
        assert!(refusal.contains("/nowhere/ca.crt"), "{refusal}");
        let problem = connector.connect_now("https://ingest-crm:50051").await.unwrap_err();
        assert!(problem.is_lasting && problem.message.contains("/nowhere/ca.crt"), "{problem}");
    }
}
