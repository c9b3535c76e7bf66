//! Pages over HTTP, beside gRPC or in place of it.

mod form;
mod observed;
mod places;
mod response_body;
mod serving;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use axum::Router;

pub use form::MAX_FORM_BYTES;
pub(crate) use serving::open;

/// A site that a service has: pages, served over HTTP.
pub struct Site {
    /// Where it is served beside gRPC; `None` to be served where `--listen` says, in place of
    /// gRPC.
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) assemble: Assemble,
    pub(crate) on_listening: Box<dyn FnOnce(Served) + Send>,
}

type Assemble = Box<dyn FnOnce(Served) -> anyhow::Result<Router> + Send>;

/// How a site is served: what it has to know to decide who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The address that it listens on, with the port that it got.
    pub address: SocketAddr,
    /// Whether it is served with TLS.
    pub is_encrypted: bool,
    /// Whether visitors that nobody asks who they are may come from beyond loopback.
    pub allow_unauthenticated: bool,
}

/// The address at the other end of a request's connection, among the request's extensions: the
/// browser's, or that of a proxy before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

impl Site {
    /// A site in place of gRPC. `assemble` makes its pages once it is known how they are served.
    pub fn new(assemble: impl FnOnce(Served) -> anyhow::Result<Router> + Send + 'static) -> Self {
        Self { listen: None, assemble: Box::new(assemble), on_listening: Box::new(|_| ()) }
    }

    /// Serves it on an address of its own, beside gRPC.
    #[must_use]
    pub fn beside_grpc(mut self, listen: SocketAddr) -> Self {
        self.listen = Some(listen);
        self
    }

    /// Calls `on_listening` once connections are accepted.
    #[must_use]
    pub fn on_listening(mut self, on_listening: impl FnOnce(Served) + Send + 'static) -> Self {
        self.on_listening = Box::new(on_listening);
        self
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("listen", &self.listen).finish_non_exhaustive()
    }
}
