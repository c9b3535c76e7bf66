//! The receivers of alerts: an HTTP endpoint for webhooks.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::in_time;

/// One webhook call.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The path it was sent to.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its raw body.
    pub body: Bytes,
    /// Its body as JSON; null if it is not JSON.
    pub json: Value,
}

/// Accepts webhooks on any path and records them.
#[derive(Debug)]
pub struct AlertReceiver {
    address: SocketAddr,
    state: Receiver,
    _serving: DropGuard,
}

#[derive(Debug, Clone)]
struct Receiver {
    accepted: watch::Sender<Vec<Delivery>>,
    refusals: Arc<AtomicUsize>,
}

impl AlertReceiver {
    /// Starts the endpoint; it ends when dropped.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Receiver { accepted: watch::Sender::new(Vec::new()), refusals: Arc::default() };
        let shutdown = CancellationToken::new();
        let app = Router::new().fallback(receive).with_state(state.clone());
        tokio::spawn(
            axum::serve(listener, app)
                .with_graceful_shutdown(shutdown.clone().cancelled_owned())
                .into_future(),
        );
        Ok(Self { address, state, _serving: shutdown.drop_guard() })
    }

    /// The URL of a path below it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next `count` calls with 503.
    pub fn refuse_next(&self, count: usize) {
        self.state.refusals.store(count, Ordering::SeqCst);
    }

    /// The calls accepted on a path so far.
    #[must_use]
    pub fn accepted(&self, path: &str) -> Vec<Delivery> {
        on_path(&self.state.accepted.borrow(), path)
    }

    /// Waits until a path has accepted `count` calls and returns them.
    ///
    /// # Errors
    /// If it takes too long.
    pub async fn wait_for(&self, path: &str, count: usize) -> Result<Vec<Delivery>> {
        let mut accepted = self.state.accepted.subscribe();
        let what = format!("the arrival of {count} alerts on {path}");
        let all = in_time(&what, accepted.wait_for(|all| on_path(all, path).len() >= count)).await??;
        Ok(on_path(&all, path))
    }
}

fn on_path(all: &[Delivery], path: &str) -> Vec<Delivery> {
    all.iter().filter(|delivery| delivery.path == path).cloned().collect()
}

async fn receive(State(state): State<Receiver>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let refused = state
        .refusals
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |remaining| remaining.checked_sub(1))
        .is_ok();
    if refused {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let delivery = Delivery { path: uri.path().to_owned(), headers, body, json };
    state.accepted.send_modify(|all| all.push(delivery));
    StatusCode::OK
}
