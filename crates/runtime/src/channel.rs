//! Connections between services: over the network, or inside one process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Endpoint, Uri},
};

pub use crate::rpc::Channel;
use crate::{
    rpc::OpenCalls,
    server::{self, TCP_KEEPALIVE},
    service::BackgroundTask,
};

/// Buffer for the bytes in flight on an in-process connection.
const DUPLEX_BYTES: usize = 256 * 1024;

/// A channel to a service at `url`, for example `http://ingest-crm:50051`. It connects
/// on first use and reconnects whenever the connection is lost.
///
/// # Errors
/// If the URL is invalid or does not begin with `http://`: better now than at every call.
pub fn connect(url: &str) -> anyhow::Result<Channel> {
    let endpoint = endpoint(url)?;
    Ok(Channel::new(endpoint.connect_lazy(), endpoint.uri().clone()))
}

/// A channel to a service at `url` that resolves the address and connects now. It
/// reconnects like one from [`connect`].
///
/// # Errors
/// If the URL is invalid, or connecting fails.
pub fn connect_now(url: &str) -> BoxFuture<'_, anyhow::Result<Channel>> {
    Box::pin(async move {
        let endpoint = endpoint(url)?;
        Ok(Channel::new(endpoint.connect().await?, endpoint.uri().clone()))
    })
}

/// A channel to `routes` served inside this process: the same gRPC over HTTP/2, through
/// memory instead of a socket. The task serves them until `shutdown`.
///
/// # Errors
/// Never in practice: the endpoint's address is a constant.
pub fn in_process(
    name: &'static str,
    routes: Routes,
    shutdown: CancellationToken,
) -> anyhow::Result<(Channel, BackgroundTask)> {
    let (connections, incoming) = mpsc::unbounded_channel::<std::io::Result<DuplexStream>>();
    let connections = Arc::new(Mutex::new(connections));
    let connector = tower::service_fn(move |_: Uri| {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        let sent = connections.lock().unwrap_or_else(PoisonError::into_inner).send(Ok(theirs));
        async move {
            sent.map(|()| TokioIo::new(ours)).map_err(|_| {
                std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "the service has ended")
            })
        }
    });
    let endpoint = endpoint("http://in-process")?;
    let channel = Channel::new(endpoint.connect_with_connector_lazy(connector), endpoint.uri().clone());
    let run = async move {
        server::builder(OpenCalls::default())
            .add_routes(routes)
            .serve_with_incoming_shutdown(UnboundedReceiverStream::new(incoming), shutdown.cancelled_owned())
            .await
            .with_context(|| format!("the in-process server of {name} failed"))
    };
    Ok((channel, BackgroundTask { name, run: Box::pin(run) }))
}

fn endpoint(url: &str) -> anyhow::Result<Endpoint> {
    let expected = || format!("{url:?} is no URL of a gRPC service: use http://host:port");
    let endpoint = Endpoint::from_shared(url.to_owned()).with_context(expected)?;
    // Without a scheme, or with one that needs TLS, every call would fail.
    anyhow::ensure!(endpoint.uri().scheme_str() == Some("http"), expected());
    Ok(endpoint
        .connect_timeout(Duration::from_secs(5))
        // Without these, a half-open connection hangs for a quarter of an hour.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
        // Effective where tonic itself connects, not in [`in_process`], which has no socket.
        // It is tonic's default; explicit because without it a call waits 40 ms.
        .tcp_nodelay(true)
        .tcp_keepalive(Some(TCP_KEEPALIVE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_could_never_be_connected_to_is_refused_at_once() {
        assert!(connect("http://127.0.0.1:1").is_ok());
        for url in ["", "ingest-crm", "127.0.0.1:50051", "https://ingest-crm:50051", "not a url"] {
            let message = connect(url).unwrap_err().to_string();
            assert!(message.ends_with("use http://host:port"), "{message}");
        }
    }
}
