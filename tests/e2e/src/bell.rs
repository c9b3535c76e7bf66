//! A bell that a process outside the test rings when it has seen enough, so that the test goes on.

use std::net::SocketAddr;

use anyhow::Result;
use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Does something each time that its address is asked for.
#[derive(Debug)]
pub struct Bell {
    address: SocketAddr,
    _serving: DropGuard,
}

impl Bell {
    /// A bell that does this when it is rung, before whoever rang goes on.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn hang(ring: impl Fn() + Clone + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let routes = Router::new().route("/", get(async move || ring()));
        let shutdown = CancellationToken::new();
        let serving =
            axum::serve(listener, routes).with_graceful_shutdown(shutdown.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        Ok(Self { address, _serving: shutdown.drop_guard() })
    }

    /// What rings it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}
