//! TLS for gRPC ports and clients: certificates come from files, which are read again when they change.
//!
//! A server turns accepted sockets into connections for tonic's `serve_with_incoming`:
//!
//! ```no_run
//! # async fn serve(routes: tonic::service::Routes, listener: tokio::net::TcpListener) -> anyhow::Result<()> {
//! use std::sync::Arc;
//! use tls::{DefaultTimeProvider, HandshakeLimits, RELOAD_INTERVAL, ServerTls, ServerTlsFiles};
//! use tokio_util::sync::CancellationToken;
//! use tonic::transport::{Server, server::TcpIncoming};
//!
//! let files = ServerTlsFiles { certificate: "tls.crt".into(), key: "tls.key".into(), clients: None };
//! let tls = ServerTls::load(files, Arc::new(DefaultTimeProvider))?;
//! tokio::spawn(tls.clone().watch(RELOAD_INTERVAL, CancellationToken::new()));
//! let sockets = TcpIncoming::from(listener).with_nodelay(Some(true));
//! Server::builder()
//!     .add_routes(routes)
//!     .serve_with_incoming(tls.incoming(sockets, HandshakeLimits::default()))
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! A client connects an endpoint by a [`TlsConnector`]:
//!
//! ```no_run
//! # fn connect() -> anyhow::Result<tonic::transport::Channel> {
//! use std::sync::Arc;
//! use tls::{ClientTls, ClientTlsFiles, ConnectOptions, DefaultTimeProvider};
//! use tonic::transport::Endpoint;
//!
//! let files = ClientTlsFiles { ca: Some("ca.crt".into()), ..ClientTlsFiles::default() };
//! let tls = ClientTls::load(files, Arc::new(DefaultTimeProvider))?;
//! let endpoint = Endpoint::from_static("https://ingest-crm:50051");
//! Ok(endpoint.connect_with_connector_lazy(tls.connector(&ConnectOptions::default())))
//! # }
//! ```
//!
//! tonic's own TLS features stay off: with them on, tonic refuses `https://` with any connector but its own.

mod arguments;
mod client;
mod connect_error;
mod connection;
mod connector;
mod expiry;
mod files;
mod handshake_failure;
mod incoming;
mod live;
mod load_error;
mod log_limit;
mod peer;
mod server;

use std::{sync::Arc, time::Duration};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
/// The clock that certificates are checked by, and its machine's implementation.
pub use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

pub use arguments::{ClientTlsArgs, ServerTlsArgs};
pub use client::{ClientTls, ClientTlsFiles, Identity};
pub use connect_error::{ConnectError, ConnectFailure};
pub use connection::{PeerInfo, TlsConnection};
pub use connector::{ConnectOptions, TlsConnector};
pub use files::{Role, TlsFile};
pub use incoming::{HandshakeLimits, TlsIncoming};
pub use live::Reload;
pub use load_error::LoadError;
pub use log_limit::LogLimit;
pub use peer::{PeerNames, peer_names};
pub use server::{ClientAuth, ClientVerification, ServerTls, ServerTlsFiles};

/// How often files are compared with what is in use, unless configured otherwise. Certificates
/// are renewed hours before they expire, so seconds do not matter.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// What gRPC speaks over TLS.
const HTTP2: &[u8] = b"h2";

/// What browsers may speak as well.
const HTTP1: &[u8] = b"http/1.1";

/// Named, not taken from rustls's process-wide default, which panics when two are compiled in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
