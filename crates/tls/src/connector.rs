//! Connects tonic's endpoints over TLS.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ProtocolVersion, pki_types::ServerName};
use tokio::{io::AsyncBufReadExt, net::TcpStream, time::timeout};
use tokio_rustls::client::TlsStream;
use tower::Service;

use crate::{
    HTTP2,
    client::ClientTls,
    connect_error::{ConnectError, ConnectFailure},
};

/// How long to wait for the first words of a server that has asked for a certificate.
const VERDICT: Duration = Duration::from_secs(1);

/// How to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectOptions {
    /// How long connecting over TCP may take.
    pub connect_timeout: Duration,
    /// How long the handshake may take after that. The endpoint's own `connect_timeout`
    /// counts both, and says less when it is up: leave it unset.
    pub handshake_timeout: Duration,
    /// How long a connection may be silent before the kernel probes whether its peer is alive.
    pub tcp_keepalive: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            handshake_timeout: Duration::from_secs(5),
            tcp_keepalive: Duration::from_secs(60),
        }
    }
}

/// Connects over TCP, then TLS.
#[derive(Clone)]
pub struct TlsConnector {
    tls: ClientTls,
    tcp: HttpConnector,
    handshake_timeout: Duration,
}

impl TlsConnector {
    pub(crate) fn new(tls: ClientTls, options: &ConnectOptions) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(options.tcp_keepalive));
        tcp.set_connect_timeout(Some(options.connect_timeout));
        Self { tls, tcp, handshake_timeout: options.handshake_timeout }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Service<Uri> for TlsConnector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        // As the TCP connector: always.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let server = uri.authority().map_or_else(|| uri.to_string(), ToString::to_string);
            let connected = connector.connect(uri).await;
            connected.map(TokioIo::new).map_err(|failure| ConnectError { server, failure })
        })
    }
}

impl TlsConnector {
    async fn connect(mut self, uri: Uri) -> Result<TlsStream<TcpStream>, ConnectFailure> {
        if uri.scheme_str() != Some("https") {
            return Err(ConnectFailure::NotHttps);
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let settings = self.tls.settings();
        let name = match &settings.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host).map_err(|_| ConnectFailure::NoServerName)?,
        };
        let socket = self
            .tcp
            .call(uri)
            .await
            .map_err(|cause| ConnectFailure::Unreachable(chain(&cause)))?
            .into_inner();
        // Read after connecting, which may take longer than a change of files.
        let (config, asked) = self.tls.settings().for_one_handshake();
        let handshake = async {
            let connecting = tokio_rustls::TlsConnector::from(config).connect(name, socket);
            let failed = |cause| ConnectFailure::from_io(&cause, asked.was_asked());
            let mut stream = connecting.await.map_err(failed)?;
            if asked.was_asked() {
                hear_verdict(&mut stream).await.map_err(failed)?;
            }
            match stream.get_ref().1.alpn_protocol() {
                Some(HTTP2) => Ok(stream),
                _ => Err(ConnectFailure::NoHttp2),
            }
        };
        timeout(self.handshake_timeout, handshake)
            .await
            .unwrap_or(Err(ConnectFailure::SlowHandshake(self.handshake_timeout)))
    }
}

/// In TLS 1.3 a client has finished before the server has read its certificate, so the
/// server's refusal would hit the first call, as an error that does not say why. A gRPC
/// server speaks first, which shows that it has accepted; one behind a proxy may not.
async fn hear_verdict(stream: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    if stream.get_ref().1.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Ok(());
    }
    match timeout(VERDICT, stream.fill_buf()).await {
        Ok(Ok([])) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        Ok(Ok(_)) | Err(_) => Ok(()),
        Ok(Err(cause)) => Err(cause),
    }
}

/// An error with all its causes.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
